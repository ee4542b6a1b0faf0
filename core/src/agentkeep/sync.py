"""The same API without `await`: for plain scripts, threads, and notebooks whose own event loop is running.

    from agentkeep import sync
    with sync.connect("sqlite:///chat.db") as keep:
        session = keep.sessions.create(user_id="u1")

The asynchronous keep runs on an event loop in a thread of its own, or in the loop in which it was opened already; any
number of threads may call. Ctrl-C cancels the call that waits, with the promise of FLT-3.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import wraps
from types import TracebackType
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from agentkeep._loops import END, Loop, next_row
from agentkeep.capabilities import Capabilities
from agentkeep.errors import Closed
from agentkeep.keep import Keep, View
from agentkeep.keep import connect as connect_asynchronous
from agentkeep.messages import Messages
from agentkeep.protocol import PersistenceAdapter
from agentkeep.sessions import Sessions

Target = TypeVar("Target")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class _Runner:
    """The loop on which a sync keep and all its views run their calls, while it is open."""

    def __init__(self, keep: Keep) -> None:
        self._shared = keep._shared  # pyright: ignore[reportPrivateUsage] - the two faces of one keep
        self._changing = threading.Lock()
        self._loop: Loop | None = None
        self._is_opener = False

    @property
    def loop(self) -> Loop:
        """Raises `Closed`."""
        if self._loop is None:
            raise Closed("this keep is not open: use `with`, or call open() first")
        return self._loop

    def run(self, call: Coroutine[Any, Any, Result]) -> Result:
        if self._loop is None:
            call.close()
        return self.loop.run(call)

    def open(self) -> None:
        """Take the loop of a keep that is open, or else open it on a loop of its own."""
        self._shared.require_process()
        if self._loop is not None:
            return
        with self._changing:
            if self._shared.is_open:
                self._loop = self._shared.loop
                return
            own_loop = self._shared.use_own_loop()
            own_loop.start()
            try:
                own_loop.run(self._shared.open_here())
            except BaseException:
                own_loop.stop()
                raise
            self._loop, self._is_opener = own_loop, True

    def close(self) -> None:
        """Close the keep if this face opened it."""
        if self._is_opener:
            self.loop.require_elsewhere()
        with self._changing:
            loop, self._loop = self._loop, None
            if loop is None or not self._is_opener or self._shared.is_forked:
                return
            self._is_opener = False
            own_loop = self._shared.use_own_loop()
            try:
                with suppress(Closed):  # the asynchronous keep was closed meanwhile
                    own_loop.run(self._shared.close_here())
            finally:
                own_loop.stop()


class _Blocking(Generic[Target]):
    """The verbs of `asynchronous`, each run to its end on a loop."""

    def __init__(self, asynchronous: Target, runner: _Runner) -> None:
        self._asynchronous = asynchronous
        self.runner = runner

    @property
    def asynchronous(self) -> Target:
        """What this is the face of. If the sync keep opened it, it runs on a loop of its own: await it in any loop."""
        return self._asynchronous


def _run(
    method: Callable[Concatenate[Target, Arguments], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate[_Blocking[Target], Arguments], Result]:
    @wraps(method)
    def call(self: _Blocking[Target], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return self.runner.run(method(self.asynchronous, *args, **kwargs))

    return cast("Callable[Concatenate[_Blocking[Target], Arguments], Result]", call)


def _walk(
    method: Callable[Concatenate[Target, Arguments], AsyncGenerator[Result, None]],
) -> Callable[Concatenate[_Blocking[Target], Arguments], Iterator[Result]]:
    @wraps(method)
    def walk(self: _Blocking[Target], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Iterator[Result]:
        rows = method(self.asynchronous, *args, **kwargs)
        try:
            while (row := self.runner.run(next_row(rows))) is not END:
                yield row
        finally:
            with suppress(Closed):  # a keep that was closed meanwhile has ended this walk with it
                self.runner.run(_close(rows))

    return cast("Callable[Concatenate[_Blocking[Target], Arguments], Iterator[Result]]", walk)


async def _close(rows: AsyncGenerator[Any, None]) -> None:
    await rows.aclose()


class SyncSessions(_Blocking[Sessions]):
    """`keep.sessions` without `await`."""

    create = _run(Sessions.create)
    get_or_create = _run(Sessions.get_or_create)
    get = _run(Sessions.get)
    get_many = _run(Sessions.get_many)
    resume = _run(Sessions.resume)
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
    get_many = _run(Messages.get_many)
    count = _run(Messages.count)
    truncate = _run(Messages.truncate)
    trim = _run(Messages.trim)
    pop = _run(Messages.pop)
    clear = _run(Messages.clear)
    search = _run(Messages.search)
    watch = _walk(Messages.watch)


class SyncView(_Blocking[View]):
    """`agentkeep.View` without `await`."""

    def __init__(self, asynchronous: View, runner: _Runner) -> None:
        super().__init__(asynchronous, runner)
        self.sessions = SyncSessions(asynchronous.sessions, runner)
        self.messages = SyncMessages(asynchronous.messages, runner)

    def __repr__(self) -> str:
        return repr(self.asynchronous).replace("<", "<Sync", 1)

    @property
    def capabilities(self) -> Capabilities:
        """What the adapter offers; settled once the keep is open."""
        return self.asynchronous.capabilities

    def for_user(self, user_id: str) -> SyncView:
        """A view that sees and touches this user's sessions alone (ISO-1)."""
        return self._view(self.asynchronous.for_user(user_id))

    health = _run(View.health)
    sweep = _run(View.sweep)

    def _view(self, asynchronous: View) -> SyncView:
        return type(self)(asynchronous, self.runner)


class SyncKeep(SyncView):
    """`agentkeep.Keep` without `await`: a sync view plus the life cycle. It takes the keep of which it is the face.

    A subclass that wants its own kind of view names it in `view_class`.
    """

    view_class: ClassVar[type[SyncView]] = SyncView

    def __init__(self, keep: Keep) -> None:
        super().__init__(keep, _Runner(keep))
        self._keep = keep

    @property
    def asynchronous(self) -> Keep:
        """The keep of which this is the face. If `open` opened it, it may be awaited in any event loop."""
        return self._keep

    @property
    def adapter(self) -> PersistenceAdapter:
        """The adapter, or the outermost wrapper around it."""
        return self._keep.adapter

    def open(self) -> Self:
        """Connect, on an event loop in a new thread; if the keep is open already, use its loop. Idempotent."""
        self.runner.open()
        return self

    def close(self) -> None:
        """Close what `open` opened and stop the loop. Idempotent; a keep that was open before stays open."""
        self.runner.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def for_tenant(self, tenant: str) -> SyncView:
        """A view that sees and touches this tenant's data alone (ISO-1)."""
        return self._view(self._keep.for_tenant(tenant))

    @overload
    def run(self, call: Coroutine[Any, Any, Result]) -> Result: ...
    @overload
    def run(self, call: Callable[[], Awaitable[Result]]) -> Result: ...
    @overload
    def run(self, call: Callable[[], Result]) -> Result: ...
    def run(self, call: Any) -> Any:
        """Run a coroutine, or call a function, on the keep's event loop, and wait for the result (LIFE-5).

        A function may return an awaitable, which is awaited there. It must not block: it would stop the loop.
        Raises what the call raises, `Closed`, and `InvalidInput` in the loop's own thread.
        """
        return self.runner.run(_coroutine(call))

    @overload
    async def arun(self, call: Coroutine[Any, Any, Result]) -> Result: ...
    @overload
    async def arun(self, call: Callable[[], Awaitable[Result]]) -> Result: ...
    @overload
    async def arun(self, call: Callable[[], Result]) -> Result: ...
    async def arun(self, call: Any) -> Any:
        """As `run`, for a caller in any event loop, or in trio, which goes on meanwhile (LIFE-5)."""
        coroutine = _coroutine(call)
        try:
            loop = self.runner.loop
        except Closed:
            coroutine.close()
            raise
        return await loop.arun(coroutine)

    def _view(self, asynchronous: View) -> SyncView:
        return self.view_class(asynchronous, self.runner)


def _coroutine(call: Coroutine[Any, Any, Any] | Callable[[], Any]) -> Coroutine[Any, Any, Any]:
    return call if inspect.iscoroutine(call) else _called(cast("Callable[[], Any]", call))


async def _called(function: Callable[[], Any]) -> Any:
    result = function()
    return await result if inspect.isawaitable(result) else result


def connect(
    url_or_config: str | Mapping[str, Any],
    *,
    wrap: Iterable[Callable[[PersistenceAdapter], PersistenceAdapter]] = (),
    **options: Any,
) -> SyncKeep:
    """As `agentkeep.connect`, for use with `with`. Does no I/O."""
    return SyncKeep(connect_asynchronous(url_or_config, wrap=wrap, **options))


def over(keep: Keep) -> SyncKeep:
    """The sync face of a keep, for instance of one that wraps an engine of your own (LIFE-3).

    If the keep is open, calls run in the event loop in which it was opened, and the face closes nothing. If it is not,
    `open` opens it on an event loop in a thread of its own.
    """
    return SyncKeep(keep)
