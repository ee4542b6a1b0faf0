"""The same API without `await`: for plain scripts, threads, and notebooks whose own event loop is running.

    from agentkeep import sync
    with sync.connect("sqlite:///chat.db") as keep:
        session = keep.sessions.create(user_id="u1")

Each keep runs the asynchronous one on an event loop in a thread of its own; any number of threads may call it. Ctrl-C
cancels the call that waits, with the promise of FLT-3.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast

from agentkeep import keep as asynchronous
from agentkeep.capabilities import Capabilities
from agentkeep.errors import Closed
from agentkeep.messages import Messages
from agentkeep.models import Health
from agentkeep.sessions import Sessions

Target = TypeVar("Target")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
_END: Any = object()


class _Loop:
    """An event loop in a thread, from `start` to `stop`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._changing = threading.Lock()

    def start(self) -> None:
        with self._changing:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="agentkeep-sync", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        with self._changing:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(_end_all(loop), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def run(self, call: Coroutine[Any, Any, Result]) -> Result:
        loop = self._loop
        if loop is None:
            call.close()
            raise Closed("this keep is not open: use `with`, or call open() first")
        future = asyncio.run_coroutine_threadsafe(call, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


async def _end_all(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what still runs, so that no thread waits for ever, and close what was left half walked."""
    running = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await loop.shutdown_asyncgens()


class _Blocking(Generic[Target]):
    """The verbs of `target`, each run to its end on `loop`."""

    def __init__(self, target: Target, loop: _Loop) -> None:
        self.target = target
        self.loop = loop


def _run(
    method: Callable[Concatenate[Target, Arguments], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate[_Blocking[Target], Arguments], Result]:
    @wraps(method)
    def call(self: _Blocking[Target], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return self.loop.run(method(self.target, *args, **kwargs))

    return cast("Callable[Concatenate[_Blocking[Target], Arguments], Result]", call)


def _walk(
    method: Callable[Concatenate[Target, Arguments], AsyncGenerator[Result, None]],
) -> Callable[Concatenate[_Blocking[Target], Arguments], Iterator[Result]]:
    @wraps(method)
    def walk(self: _Blocking[Target], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Iterator[Result]:
        rows = method(self.target, *args, **kwargs)
        try:
            while (row := self.loop.run(_next(rows))) is not _END:
                yield row
        finally:
            with suppress(Closed):  # a keep that was closed meanwhile has ended this walk with it
                self.loop.run(rows.aclose())

    return cast("Callable[Concatenate[_Blocking[Target], Arguments], Iterator[Result]]", walk)


async def _next(rows: AsyncGenerator[Result, None]) -> Result:
    return await anext(rows, _END)


class SyncSessions(_Blocking[Sessions]):
    """`keep.sessions` without `await`."""

    create = _run(Sessions.create)
    get_or_create = _run(Sessions.get_or_create)
    get = _run(Sessions.get)
    get_many = _run(Sessions.get_many)
    resume = _run(Sessions.resume)
    find = _run(Sessions.find)
    update = _run(Sessions.update)
    list = _run(Sessions.list)
    iterate = _walk(Sessions.iterate)
    count = _run(Sessions.count)
    find_active = _run(Sessions.find_active)
    touch = _run(Sessions.touch)
    fork = _run(Sessions.fork)
    delete = _run(Sessions.delete)
    delete_many = _run(Sessions.delete_many)
    delete_user = _run(Sessions.delete_user)


class SyncMessages(_Blocking[Messages]):
    """`keep.messages` without `await`."""

    append = _run(Messages.append)
    update = _run(Messages.update)
    list = _run(Messages.list)
    iterate = _walk(Messages.iterate)
    tail = _run(Messages.tail)
    get = _run(Messages.get)
    get_many = _run(Messages.get_many)
    count = _run(Messages.count)
    truncate = _run(Messages.truncate)
    trim = _run(Messages.trim)
    pop = _run(Messages.pop)
    clear = _run(Messages.clear)
    search = _run(Messages.search)
    watch = _walk(Messages.watch)


class SyncKeep(_Blocking[asynchronous.Keep]):
    """`agentkeep.Keep` without `await`. Views share the loop of the keep that they were made from."""

    def __init__(self, target: asynchronous.Keep, loop: _Loop) -> None:
        super().__init__(target, loop)
        self.sessions = SyncSessions(target.sessions, loop)
        self.messages = SyncMessages(target.messages, loop)

    def __repr__(self) -> str:
        return repr(self.target).replace("<Keep", "<SyncKeep", 1)

    def open(self) -> Self:
        """Start the loop and connect. Idempotent."""
        self.loop.start()
        try:
            self.loop.run(self.target.open())
        except BaseException:
            self.loop.stop()
            raise
        return self

    def close(self) -> None:
        """Close what we opened and stop the loop. Idempotent."""
        try:
            self.loop.run(self.target.close())
        except Closed:
            return
        self.loop.stop()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def capabilities(self) -> Capabilities:
        """What the adapter offers; settled once the keep is open."""
        return self.target.capabilities

    def for_tenant(self, tenant: str) -> SyncKeep:
        """A view that sees and touches this tenant's data alone (ISO-1)."""
        return SyncKeep(self.target.for_tenant(tenant), self.loop)

    def for_user(self, user_id: str) -> SyncKeep:
        """A view that sees and touches this user's sessions alone (ISO-1)."""
        return SyncKeep(self.target.for_user(user_id), self.loop)

    def health(self) -> Health:
        """Ask the server. Raises `Unavailable` where it does not answer."""
        return self.loop.run(self.target.health())

    def sweep(self, limit: int = 1000) -> int:
        """Remove up to `limit` expired sessions, as `Keep.sweep` does."""
        return self.loop.run(self.target.sweep(limit))


def connect(url_or_config: str | Mapping[str, Any], **options: Any) -> SyncKeep:
    """As `agentkeep.connect`, for use with `with`. Does no I/O."""
    return SyncKeep(asynchronous.connect(url_or_config, **options), _Loop())
