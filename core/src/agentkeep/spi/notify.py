"""How an append wakes those who watch its session, and nobody else.

An adapter has one `Notifier`. Watchers join it under their session's key, and whoever learns of new messages calls
`notify(key)`, from any thread. That costs as much as there are watchers of this session, and a dictionary look-up if
there is none. A notification is a hint: the watcher then reads the log (`agentkeep.spi.watch`).

If writes of this process are all that there is, nothing more is needed:

    self.notifier = Notifier()
    ...
    self.notifier.notify((scope.tenant, append.session_id))     # after each commit that a watcher should see

If the server tells of other processes' writes, give the notifier a function that makes a `Listener`. There is one
listener for each event loop in which somebody watches, so all watchers of that loop share its connection. It is made
for the first watcher and stopped after the last:

    class ServerListener:
        def __init__(self) -> None:
            self._connection: Connection | None = None

        def hears(self, key: Key) -> bool:
            return self._connection is not None and not self._connection.is_closed

        async def listen(self, key: Key) -> None:                # never called twice at once
            self._connection = await connect(...)
            await self._connection.subscribe(lambda payload: notifier.notify(key_of(payload)))

        def forget(self, key: Key) -> None: ...                  # if the server subscribes by session: unsubscribe

        def stop(self) -> None:
            if self._connection is not None:
                self._connection.terminate()

    self.notifier = Notifier(ServerListener)

A listener whose connection fails calls `notifier.notify_all()`: the watchers listen anew and read what was missed. The
adapter's `close` calls `notifier.close()`, and awaits `notifier.stopped()` last.

(WATCH-1, WATCH-2, LIFE-2, LIFE-3)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from functools import partial
from threading import Lock
from typing import Protocol, TypeAlias

from agentkeep.errors import Closed, PersistenceError

Key: TypeAlias = tuple[str, str]
"""A session: its tenant and its id."""

_AGAIN_SECONDS = 1.0
"""How long after a failure to listen nobody in that event loop tries again."""


class Listener(Protocol):
    """What hears the server's notifications in one event loop."""

    def hears(self, key: Key) -> bool:
        """Whether notifications for this session arrive now. It does not wait."""
        ...

    async def listen(self, key: Key) -> None:
        """Make notifications for this session arrive; connect if that is needed. Calls come one at a time.

        If it raises one of our errors, or `hears` is still false afterwards, the watchers poll.
        """
        ...

    def forget(self, key: Key) -> None:
        """Nobody in this event loop watches this session any more. It does not wait."""
        ...

    def stop(self) -> None:
        """End the connection at once: nobody here watches any more. Called again after a `listen` that ends later."""
        ...


class Watcher:
    """One watcher's place in a notifier. Only its own event loop may use it."""

    __slots__ = ("_group", "_woken", "is_closed", "key", "loop")

    def __init__(self, key: Key, group: _Group, loop: asyncio.AbstractEventLoop) -> None:
        self.key: Key = key
        self.loop: asyncio.AbstractEventLoop = loop
        self.is_closed: bool = False
        self._group = group
        self._woken = asyncio.Event()

    async def ready(self) -> bool:
        """Call it before each read: what lands after this call will wake the watcher.

        Returns whether notifications arrive; if not, poll. Raises `Closed` if the adapter was closed.
        """
        self._check()
        hears = await self._group.listen(self.key)
        self._check()
        self._woken.clear()
        return hears

    async def wait(self, seconds: float) -> None:
        """Return when there may be something to read, after `seconds` at the latest. Raises `Closed`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._check()

    @property
    def company(self) -> int:
        """How many watchers this event loop has, this one included."""
        return self._group.size

    def wake(self) -> None:
        self._woken.set()

    def _check(self) -> None:
        if self.is_closed:
            raise Closed("the keep was closed while this session was being watched")


class _Group:
    """The watchers of one event loop."""

    def __init__(self, listener: Listener | None) -> None:
        self.listener = listener
        self.size = 0
        self._is_over = False
        self.listening: asyncio.Lock = asyncio.Lock()
        self._failed_at: float | None = None

    async def listen(self, key: Key) -> bool:
        listener = self.listener
        if listener is None or listener.hears(key):
            return True
        async with self.listening:
            if self._is_over:
                return False
            if listener.hears(key):  # another watcher was first
                return True
            now = asyncio.get_running_loop().time()
            if self._failed_at is not None and now - self._failed_at < _AGAIN_SECONDS:
                return False
            try:
                await listener.listen(key)
            except PersistenceError:
                self._failed_at = asyncio.get_running_loop().time()
                return False
            finally:
                if self._is_over:  # what it connected since `stop` would stay open
                    listener.stop()
            hears = listener.hears(key)
            self._failed_at = None if hears else now
            return hears

    def stop(self) -> None:
        """Nobody in this event loop watches any more."""
        self._is_over = True
        if self.listener is not None:
            self.listener.stop()


class Notifier:
    """The watchers of one adapter, in any number of event loops."""

    def __init__(self, make_listener: Callable[[], Listener] | None = None) -> None:
        """`make_listener` runs in the event loop of the first watcher there. None: `notify` alone wakes watchers."""
        self._make_listener = make_listener
        self._lock = Lock()
        self._is_closed = False
        self._watchers: dict[Key, set[Watcher]] = {}
        self._groups: dict[asyncio.AbstractEventLoop, _Group] = {}
        self._stopping: dict[asyncio.AbstractEventLoop, _Group] = {}

    @property
    def has_watchers(self) -> bool:
        return bool(self._watchers)

    @contextmanager
    def watching(self, key: Key) -> Generator[Watcher]:
        """A watcher of one session in the running event loop, until the block ends. Raises `Closed`."""
        watcher = self.join(key)
        try:
            yield watcher
        finally:
            self.leave(watcher)

    def join(self, key: Key) -> Watcher:
        """As `watching`, which is the better choice; call `leave` in a `finally`."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._is_closed:
                raise Closed("this adapter is closed: call open() first")
            group = self._groups.get(loop)
            if group is None:
                self._drop_closed_loops()
                group = self._groups[loop] = _Group(self._make_listener() if self._make_listener else None)
            group.size += 1
            watcher = Watcher(key, group, loop)
            self._watchers.setdefault(key, set()).add(watcher)
            return watcher

    def leave(self, watcher: Watcher) -> None:
        """In the watcher's own event loop."""
        with self._lock:
            watchers = self._watchers.get(watcher.key, set())
            if watcher not in watchers:
                return  # `close` was first
            watchers.discard(watcher)
            if not watchers:
                del self._watchers[watcher.key]
            group = self._groups[watcher.loop]
            group.size -= 1
            if group.size == 0:
                del self._groups[watcher.loop]
            is_last = all(other.loop is not watcher.loop for other in watchers)
        if group.size == 0:
            group.stop()
        elif is_last and group.listener is not None:
            group.listener.forget(watcher.key)

    def notify(self, key: Key) -> None:
        """Wake the watchers of one session. From any thread."""
        if key in self._watchers:
            with self._lock:
                watchers = list(self._watchers.get(key, ()))
            self._wake(watchers)

    def notify_all(self) -> None:
        """Wake all watchers: notifications may have been lost, or nobody knows what changed. From any thread."""
        with self._lock:
            watchers = [watcher for watchers in self._watchers.values() for watcher in watchers]
        self._wake(watchers)

    def open(self) -> None:
        """Let watchers in after a `close`. A new notifier is open."""
        self._is_closed = False

    def close(self) -> None:
        """Wake all watchers, who then raise `Closed`, and stop the listeners. Nobody may join until `open`."""
        with self._lock:
            self._is_closed = True
            watchers = [watcher for watchers in self._watchers.values() for watcher in watchers]
            groups, self._groups, self._watchers = self._groups, {}, {}
            self._stopping = groups
        for watcher in watchers:
            watcher.is_closed = True
        self._wake(watchers)
        for loop, group in groups.items():
            _call(loop, group.stop)

    async def stopped(self) -> None:
        """After `close`: wait until the listener of this event loop has ended what it was connecting (LIFE-2)."""
        if group := self._stopping.pop(asyncio.get_running_loop(), None):
            async with group.listening:
                pass

    def _wake(self, watchers: Iterable[Watcher]) -> None:
        """One call for each event loop, however many watchers it has."""
        by_loop: dict[asyncio.AbstractEventLoop, list[Watcher]] = {}
        for watcher in watchers:
            by_loop.setdefault(watcher.loop, []).append(watcher)
        for loop, woken in by_loop.items():
            _call(loop, partial(_wake_now, woken))

    def _drop_closed_loops(self) -> None:
        """An event loop that was closed without its end for generators leaves its watchers here."""
        closed = [loop for loop in self._groups if loop.is_closed()]
        for loop in closed:
            del self._groups[loop]
        for key, watchers in list(self._watchers.items()):
            watchers -= {watcher for watcher in watchers if watcher.loop in closed}
            if not watchers:
                del self._watchers[key]


def _wake_now(watchers: Iterable[Watcher]) -> None:
    """In the watchers' own event loop."""
    for watcher in watchers:
        watcher.wake()


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    """Now, if it is the running event loop, else as soon as that one comes to it."""
    if loop is _running_loop():
        function()
        return
    with suppress(RuntimeError):  # that event loop is closed
        loop.call_soon_threadsafe(function)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
