"""How a statement reaches the database: a `Connection` runs it, a `Client` gives work a connection and a transaction.

`threads.py` has the client for a file that we open, `engine.py` the one for the caller's SQLAlchemy engine.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from agentkeep.spi.notify import Key, Notifier

from agentkeep_sqlite.errors import Phase, primary_code, translated

T = TypeVar("T")
Row = Sequence[Any]
Values = Mapping[str, Any] | tuple[Any, ...]


class Connection(Protocol):
    """One connection. If the work is a write, it is inside a transaction. It raises what its driver raises."""

    def all(self, sql: str, values: Values = ()) -> list[Row]:
        """All rows of a statement."""
        ...

    def one(self, sql: str, values: Values = ()) -> Row | None:
        """The first row, or None."""
        ...

    def run(self, sql: str, values: Values = ()) -> int:
        """How many rows a statement changed."""
        ...

    def many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """Run a statement once for each row of values."""
        ...


Work = Callable[[Connection], T]
"""What a call does in one transaction. It may run again after a rollback."""


class Client(Protocol):
    """Runs work in transactions. Between calls no transaction is open and no lock is held (FLT-4)."""

    notifier: Notifier
    """Wakes the watchers of a session after a commit that changed it."""

    warnings: tuple[str, ...]
    """What `health` warns of because of this client."""

    async def open(self) -> None:
        """Connect. Raises `ConfigurationError`, `Unavailable`."""
        ...

    async def read(self, work: Work[T]) -> T:
        """Run one statement that reads, or several that need not see the same moment. Raises `Closed`."""
        ...

    async def write(self, work: Work[T], *, changes: Key | None = None) -> T:
        """Run `work` in one write transaction and return after its commit. If it raises, nothing of it is kept.

        `changes`: the session whose watchers are woken afterwards.

        A cancelled call takes effect completely or not at all (FLT-3).
        Raises `Closed`, `Unavailable`, `OutcomeUnknown`.
        """
        ...

    async def vacuum(self) -> bool:
        """Rewrite the file without its unused bytes. Returns False if we may not do that, or can't at the moment."""
        ...

    async def checkpoint(self) -> None:
        """Move the write-ahead log into the database file and empty it, unless a reader still needs the log."""
        ...

    async def close(self) -> None:
        """Finish the accepted calls, then close what we opened (LIFE-2)."""
        ...


class DriverConnection:
    """A connection of `sqlite3`, which begins no transactions by itself: we do."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        self.driver = driver

    def all(self, sql: str, values: Values = ()) -> list[Row]:
        try:
            return self.driver.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            if primary_code(error) is not None or not sql.startswith("SELECT"):
                raise
            return self._undecoded(sql, values)

    def _undecoded(self, sql: str, values: Values) -> list[Row]:
        """The rows, with texts that are not UTF-8 as bytes, so that the error can name the damaged row (ERR-4)."""
        self.driver.text_factory = _text_or_bytes
        try:
            return self.driver.execute(sql, values).fetchall()
        finally:
            self.driver.text_factory = str

    def one(self, sql: str, values: Values = ()) -> Row | None:
        rows = self.all(sql, values)
        return rows[0] if rows else None

    def run(self, sql: str, values: Values = ()) -> int:
        return self.driver.execute(sql, values).rowcount

    def many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        if len(rows) == 1:
            self.driver.execute(sql, rows[0])
        else:
            self.driver.executemany(sql, rows)


def _text_or_bytes(stored: bytes) -> str | bytes:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored


class Job:
    """One piece of work for a thread, and the future of the caller that waits for it, in any event loop."""

    __slots__ = (
        "_ended",
        "_is_finished",
        "_is_started",
        "_ticket",
        "changes",
        "error",
        "future",
        "loop",
        "result",
        "work",
    )

    def __init__(self, work: Work[Any], changes: Key | None = None) -> None:
        self.work = work
        self.changes = changes
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None
        self._ticket = [True]
        self._is_started = False
        self._is_finished = False
        self._ended: asyncio.Future[None] | None = None

    async def outcome(self) -> Any:
        """The work's result.

        If the caller is cancelled before the work began, the work is withdrawn. Otherwise we wait for its end, so that
        whoever sees the cancellation also sees its effect (FLT-3).
        """
        try:
            return await self.future
        except asyncio.CancelledError:
            if self.future.cancelled() and not self._take() and not self._is_finished:
                await self._wait_for_end()
            raise

    def _take(self) -> bool:
        """Either the thread begins the work or its caller withdraws it: only one of them can take the ticket."""
        try:
            return self._ticket.pop()
        except IndexError:
            return False

    async def _wait_for_end(self) -> None:
        ended = self._ended = self.loop.create_future()
        while not ended.done():
            with suppress(asyncio.CancelledError):  # cancelled again: the work has begun and will end soon
                await asyncio.shield(ended)

    def run(self, db: DriverConnection, database: str) -> None:
        """Keep the result, or the error that the caller will get. It may run again after a rollback."""
        if not self._is_started and not self._take():
            return
        self._is_started = True
        self.result = self.error = None
        try:
            self.result = self.work(db)
        except sqlite3.Error as error:
            self.error = translated(error, Phase.WORKING, database)
        except BaseException as error:  # the caller gets it, and the thread goes on
            self.error = error

    def deliver(self) -> None:
        """Runs in the caller's loop, perhaps after the caller was cancelled and before it has noticed."""
        self._is_finished = True
        if self._ended is not None:
            self._ended.set_result(None)
        if self.future.done():
            return  # the caller was cancelled
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


def deliver_all(jobs: Sequence[Job]) -> None:
    """Wake each event loop once for all of its jobs."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[Job]] = defaultdict(list)
    for job in jobs:
        by_loop[job.loop].append(job)
    for loop, of_loop in by_loop.items():
        with suppress(RuntimeError):  # that loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_deliver, of_loop)


def _deliver(jobs: list[Job]) -> None:
    for job in jobs:
        job.deliver()
