"""The same API without `await`: for plain scripts, threads, and notebooks whose own event loop is running.

    from agentkeep import sync
    with sync.connect("sqlite:///chat.db") as keep:
        session = keep.sessions.create(user_id="u1")

The keep runs on an event loop in a thread of its own, or in the loop in which it was opened already. Any number of
threads may call. Ctrl-C cancels the call that waits, with the promise of FLT-3.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar, overload

from agentkeep._blocking import Blocking, Runner, as_coroutine, runs, walks
from agentkeep._sync_conversations import SyncConversation, SyncSessionManager, SyncTurn
from agentkeep.capabilities import Capabilities
from agentkeep.config import Source, load
from agentkeep.errors import Closed
from agentkeep.keep import Keep, View
from agentkeep.keep import connect as connect_asynchronous
from agentkeep.messages import Messages
from agentkeep.protocol import PersistenceAdapter
from agentkeep.retention import Pruned, RetentionPolicy
from agentkeep.retention import prune as prune_asynchronous
from agentkeep.sessions import Sessions

__all__ = [
    "SyncConversation",
    "SyncKeep",
    "SyncMessages",
    "SyncSessionManager",
    "SyncSessions",
    "SyncTurn",
    "SyncView",
    "connect",
    "from_config",
    "over",
    "prune",
]

Result = TypeVar("Result")


class SyncSessions(Blocking[Sessions]):
    """`keep.sessions` without `await`."""

    @runs(Sessions.create)
    def create(self) -> None: ...

    @runs(Sessions.get_or_create)
    def get_or_create(self) -> None: ...

    @runs(Sessions.get)
    def get(self) -> None: ...

    @runs(Sessions.get_many)
    def get_many(self) -> None: ...

    @runs(Sessions.resume)
    def resume(self) -> None: ...

    @runs(Sessions.find)
    def find(self) -> None: ...

    @runs(Sessions.update)
    def update(self) -> None: ...

    @runs(Sessions.list)
    def list(self) -> None: ...

    @walks(Sessions.iterate)
    def iterate(self) -> None: ...

    @runs(Sessions.count)
    def count(self) -> None: ...

    @runs(Sessions.find_active)
    def find_active(self) -> None: ...

    @runs(Sessions.touch)
    def touch(self) -> None: ...

    @runs(Sessions.fork)
    def fork(self) -> None: ...

    @runs(Sessions.delete)
    def delete(self) -> None: ...

    @runs(Sessions.delete_many)
    def delete_many(self) -> None: ...

    @runs(Sessions.delete_user)
    def delete_user(self) -> None: ...


class SyncMessages(Blocking[Messages]):
    """`keep.messages` without `await`."""

    @runs(Messages.append)
    def append(self) -> None: ...

    @runs(Messages.update)
    def update(self) -> None: ...

    @runs(Messages.list)
    def list(self) -> None: ...

    @walks(Messages.iterate)
    def iterate(self) -> None: ...

    @runs(Messages.tail)
    def tail(self) -> None: ...

    @runs(Messages.get)
    def get(self) -> None: ...

    @runs(Messages.get_many)
    def get_many(self) -> None: ...

    @runs(Messages.count)
    def count(self) -> None: ...

    @runs(Messages.truncate)
    def truncate(self) -> None: ...

    @runs(Messages.trim)
    def trim(self) -> None: ...

    @runs(Messages.pop)
    def pop(self) -> None: ...

    @runs(Messages.clear)
    def clear(self) -> None: ...

    @runs(Messages.search)
    def search(self) -> None: ...

    @walks(Messages.watch)
    def watch(self) -> None: ...


class SyncView(Blocking[View]):
    """`agentkeep.View` without `await`."""

    def __init__(self, asynchronous: View, runner: Runner) -> None:
        super().__init__(asynchronous, runner)
        self.sessions: SyncSessions = SyncSessions(asynchronous.sessions, runner)
        self.messages: SyncMessages = SyncMessages(asynchronous.messages, runner)

    def __repr__(self) -> str:
        return repr(self.asynchronous).replace("<", "<Sync", 1)

    @property
    def capabilities(self) -> Capabilities:
        """What the adapter offers; settled once the keep is open."""
        return self.asynchronous.capabilities

    @property
    def user_id(self) -> str | None:
        """The user to whom this view is limited."""
        return self.asynchronous.user_id

    def for_user(self, user_id: str) -> SyncView:
        """A view that sees and touches this user's sessions alone (ISO-1)."""
        return self._view(self.asynchronous.for_user(user_id))

    @runs(View.health)
    def health(self) -> None: ...

    @runs(View.sweep)
    def sweep(self) -> None: ...

    def _view(self, asynchronous: View) -> SyncView:
        return type(self)(asynchronous, self.runner)


class SyncKeep(SyncView):
    """`agentkeep.Keep` without `await`: a sync view plus the life cycle. It takes the keep of which it is the face.

    A subclass that wants its own kind of view names it in `view_class`.
    """

    view_class: ClassVar[type[SyncView]] = SyncView

    def __init__(self, keep: Keep) -> None:
        super().__init__(keep, Runner(keep))
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

    @contextmanager
    def sweeping(self, *, every: timedelta | float, policy: RetentionPolicy | None = None) -> Generator[None]:
        """As `Keep.sweeping`, for `with`: it runs on the keep's event loop."""
        sweeper = self._keep.sweeping(every=every, policy=policy)
        self.run(sweeper.__aenter__)
        try:
            yield
        finally:
            self.run(lambda: sweeper.__aexit__(None, None, None))

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
        return self.runner.run(as_coroutine(call))

    @overload
    async def arun(self, call: Coroutine[Any, Any, Result]) -> Result: ...
    @overload
    async def arun(self, call: Callable[[], Awaitable[Result]]) -> Result: ...
    @overload
    async def arun(self, call: Callable[[], Result]) -> Result: ...
    async def arun(self, call: Any) -> Any:
        """As `run`, for a caller in any event loop, or in trio, which goes on meanwhile (LIFE-5)."""
        coroutine = as_coroutine(call)
        try:
            loop = self.runner.loop
        except Closed:
            coroutine.close()
            raise
        return await loop.arun(coroutine)

    def _view(self, asynchronous: View) -> SyncView:
        return self.view_class(asynchronous, self.runner)


def connect(
    url_or_config: str | Mapping[str, Any],
    *,
    wrap: Iterable[Callable[[PersistenceAdapter], PersistenceAdapter]] = (),
    **options: Any,
) -> SyncKeep:
    """As `agentkeep.connect`, for use with `with`."""
    return SyncKeep(connect_asynchronous(url_or_config, wrap=wrap, **options))


def from_config(source: Source = None, **given: Any) -> SyncKeep:
    """As `agentkeep.from_config`, for use with `with`."""
    return SyncKeep(load(source, **given).keep())


def prune(view: SyncView, policy: RetentionPolicy, *, dry_run: bool = False) -> Pruned:
    """As `agentkeep.retention.prune`."""
    return view.runner.run(prune_asynchronous(view.asynchronous, policy, dry_run=dry_run))


def over(keep: Keep) -> SyncKeep:
    """The sync face of a keep, for instance of one that wraps an engine of your own (LIFE-3).

    If the keep is open, calls run in the event loop in which it was opened, and the face closes nothing. If it is not,
    `open` opens it on an event loop in a thread of its own.
    """
    return SyncKeep(keep)
