"""How a statement reaches the database: a `Connection` runs it, a `Client` gives work a connection and a transaction.

`threads.py` has the client for a file that we open, `engine.py` the one for the caller's SQLAlchemy engine.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import Any, Protocol, TypeVar

from agentkeep.spi.notify import Key, Notifier

from agentkeep_sqlite.errors import primary_code

T = TypeVar("T")
Row = Sequence[Any]
MAX_SHORT = 100
"""Rows of a short read: more than a page of sessions or the end of a log, and less than a millisecond of work."""
_SHORTEST_PAUSE = 0.005
_LONGEST_PAUSE = 0.1
Values = Mapping[str, Any] | tuple[Any, ...]


class Unsettled(Exception):
    """A read found an expired session, but a write that began before may still move its expiry (TTL-1).

    The client waits for that write and runs the read again.
    """


class Connection(Protocol):
    """One connection. If the work is a write, it is inside a transaction. It raises what its driver raises."""

    now: int
    """The time that the work goes by, in microseconds: when its transaction, or the read, began."""
    settled: int
    """Every write that began before this time is committed, so what expired before it stays expired (TTL-1)."""

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

    def snapshot(self) -> AbstractContextManager[None]:
        """Statements inside read the database as of one moment."""
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

    async def read(self, work: Work[T], *, is_short: bool = False) -> T:
        """Run statements that read. Raises `Closed`.

        `is_short`: it reads at most `MAX_SHORT` rows, so it may run on the event loop's thread. It may run again.
        """
        ...

    async def write(self, work: Work[T], *, changes: Key | None = None) -> T:
        """Run `work` in one write transaction and return after its commit. If it raises, nothing of it is kept.

        `changes`: the session whose watchers are woken afterwards.

        A cancelled call takes effect completely or not at all (FLT-3).
        Raises `Closed`, `Unavailable`, `OutcomeUnknown`.
        """
        ...

    async def write_step(self, work: Work[T]) -> T:
        """As `write`, for one of many steps: others get as much time to write as the step took.

        SQLite's lock is not fair. Without the pause another process may not get it until all steps are done.
        """
        ...

    async def run_when_idle(self, step: Work[bool]) -> None:
        """Run `step` in a transaction of its own while no other write waits, again and again until it returns False.

        Through an engine it runs once.
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
        self.now = self.settled = 0

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

    @contextmanager
    def snapshot(self) -> Generator[None]:
        if self.driver.in_transaction:
            yield
            return
        self.driver.execute("BEGIN")
        try:
            yield
        finally:
            self.driver.execute("ROLLBACK")


async def paused(step: Awaitable[T]) -> T:
    """Wait for a step, then for as long as it took, within bounds."""
    started = monotonic()
    result = await step
    await asyncio.sleep(pause_after(started))
    return result


def pause_after(started: float) -> float:
    """How long others may write after a step that began at this monotonic time."""
    return min(max(monotonic() - started, _SHORTEST_PAUSE), _LONGEST_PAUSE)


def _text_or_bytes(stored: bytes) -> str | bytes:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored
