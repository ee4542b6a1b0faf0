"""Two calls on the same data, of which the second runs before a chosen line of the first."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, cast

from agentkeep import Keep, PersistenceError

from agentkeep_conformance.database import Database

_BLOCKED_SECONDS = 0.005
"""Who has not ended after it waits for the other call: for its lock, or for a processor."""
Call = Callable[[Keep, str], Awaitable[Any]]
"""A call on the session of that id."""
Check = Callable[[Keep, str, Any, Any], Awaitable[None]]
"""What must hold after both, with what they returned or raised."""


@dataclass(frozen=True)
class Pair:
    first: Call
    second: Call
    check: Check
    prepare: Call = lambda keep, name: keep.sessions.create(name)
    within_lines: bool = False
    """The second call also comes within the lines of the first: between what Python does for one line."""


class Two:
    """Two keeps on the same data, each with a thread and an event loop of its own.

    The lines of the first are also those of the threads that its adapter starts when it opens.
    """

    def __init__(self, database: Database) -> None:
        adapter = database.unopened()
        package = sys.modules[type(adapter).__module__.partition(".")[0]]
        self._lines = _Lines(f"{os.path.dirname(package.__file__ or '')}{os.sep}")
        self._keeps = (Keep(adapter), Keep(database.unopened()))
        self._mine, self._other = asyncio.Runner(), asyncio.Runner()
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Two:
        with _in_new_threads(self._lines):
            self._mine.run(self._keeps[0].open())
        self._thread.submit(self._other.run, self._keeps[1].open()).result()
        return self

    def __exit__(self, *error: object) -> None:
        with ExitStack() as last_first:
            last_first.callback(self._thread.shutdown)
            last_first.callback(lambda: self._thread.submit(self._other.close).result())
            last_first.callback(lambda: self._thread.submit(self._other.run, self._keeps[1].close()).result())
            last_first.callback(self._mine.close)
            last_first.callback(self._mine.run, self._keeps[0].close())

    def play(self, pair: Pair, name: str, at: int) -> bool:
        """Whether the first call had so many lines."""
        self._mine.run(outcome(pair.prepare(self._keeps[0], name)))
        second: list[Future[Any]] = []
        event = "opcode" if pair.within_lines else "line"
        with self._lines.pause(event, at, lambda: self._go(pair, name, second)):
            first = self._mine.run(_traced(pair.first(self._keeps[0], name), self._lines))
        came_between = bool(second)
        if not came_between:
            self._go(pair, name, second)
        self._mine.run(_checked(pair, self._keeps[0], name, first, second[0].result()))
        return came_between

    def _go(self, pair: Pair, name: str, started: list[Future[Any]]) -> None:
        started.append(self._thread.submit(lambda: self._other.run(outcome(pair.second(self._keeps[1], name)))))
        wait(started, timeout=_BLOCKED_SECONDS)


async def _checked(pair: Pair, keep: Keep, name: str, first: Any, second: Any) -> None:
    await pair.check(keep, name, first, second)
    for session in (await keep.sessions.list()).items:  # else the lines of a listing grow from turn to turn
        await keep.sessions.delete(session.id)


class _Lines:
    """A trace function, for any thread, that counts an adapter's lines (or opcodes) while a pause is set."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._event = "line"
        self._left = 0
        self._then: Callable[[], None] | None = None

    @contextmanager
    def pause(self, event: str, at: int, then: Callable[[], None]) -> Generator[None]:
        """Meanwhile `then` is called before the line of that number; at the end it is done, or never called."""
        with self._lock:
            self._event, self._left, self._then = event, at, then
        try:
            yield
        finally:
            with self._lock:
                self._then = None

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if event == "call":
            frame.f_trace_opcodes = self._event == "opcode"
            return self if frame.f_code.co_filename.startswith(self._folder) else None
        if event == self._event:
            self._count()
        return self

    def _count(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0 and self._then is not None:
                self._then()


@contextmanager
def _in_new_threads(lines: _Lines) -> Generator[None]:
    """Threads that are started meanwhile count their lines."""
    before = threading.gettrace()
    threading.settrace(lines)
    try:
        yield
    finally:
        threading.settrace(cast("Any", before))


async def _traced(call: Awaitable[Any], lines: _Lines) -> Any:
    before = sys.gettrace()
    sys.settrace(lines)
    try:
        return await outcome(call)
    finally:
        sys.settrace(before)


async def outcome(call: Awaitable[Any]) -> Any:
    """What it returned, or the error of ours that it raised."""
    try:
        return await call
    except PersistenceError as error:
        return error
