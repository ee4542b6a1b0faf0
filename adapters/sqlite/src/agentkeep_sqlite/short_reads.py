"""Short reads on the event loop's own thread: handing 50 rows from thread to thread costs more than reading them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from time import monotonic
from typing import Any, TypeVar

from agentkeep_sqlite.client import DriverConnection, Row, Unsettled, Values, Work

T = TypeVar("T")

_LONGEST = 0.002
"""Seconds for which a short read may keep the event loop. One row that is longer than that is read to its end."""
_INSTRUCTIONS = 2_000
"""SQLite's instructions between two looks at the clock, for a statement that passes many rows before it finds one."""
_LONGEST_PAUSE = 128
"""Reads that go to a thread at once after one took too long: 1 at first, twice as many after each further one, up to
this number, and one less after each read in time. So a file on a slow disk keeps the loop for `_LONGEST` in 1 of 129
reads, and one late read on a fast disk costs nothing: a fixed pause of 100 made the next 100 take twice as long."""


class NotShort(Exception):
    """The read takes too long, or must wait for a lock: run it on a thread that reads."""


class TimedConnection(DriverConnection):
    """A connection that gives up at a moment of the monotonic clock."""

    deadline = 0.0

    def __init__(self, driver: sqlite3.Connection) -> None:
        super().__init__(driver)
        driver.set_progress_handler(self.is_too_late, _INSTRUCTIONS)

    def is_too_late(self) -> bool:
        return monotonic() > self.deadline

    def all(self, sql: str, values: Values = ()) -> list[Row]:
        rows: list[Row] = []
        with closing(self.driver.execute(sql, values)) as cursor:  # an open cursor would keep its snapshot
            for row in cursor:
                rows.append(row)
                if self.is_too_late():
                    raise NotShort
        return rows


class ShortReads:
    """One connection for all event loops. A read that finds it in use raises `NotShort`."""

    def __init__(self, driver: sqlite3.Connection, times: Callable[[], tuple[int, int]]) -> None:
        """`times` returns `now` and `settled` of `client.Connection`."""
        driver.execute("PRAGMA busy_timeout = 0")  # a thread may wait for a lock, the event loop may not
        self._db = TimedConnection(driver)
        self._times = times
        self._lock = threading.Lock()
        self._pause = 0
        self._reads_to_pass = 0

    async def run(self, work: Work[T]) -> T:
        """The result of `work`. Raises `NotShort`, and what `work` raises of ours."""
        if self._reads_to_pass:
            self._reads_to_pass -= 1
            raise NotShort
        await asyncio.sleep(0)  # a loop that does nothing but read lets others run too
        if not self._lock.acquire(blocking=False):
            raise NotShort
        try:
            return self._run(self._db, work)
        finally:
            self._lock.release()

    def _run(self, db: TimedConnection, work: Work[Any]) -> Any:
        db.now, db.settled = self._times()
        db.deadline = monotonic() + _LONGEST
        try:
            result = work(db)
        except (sqlite3.Error, Unsettled, NotShort) as error:
            if db.is_too_late():  # between two rows, or interrupted within a statement
                self._pause = min(max(1, 2 * self._pause), _LONGEST_PAUSE)
                self._reads_to_pass = self._pause
            raise NotShort from error
        self._pause = max(0, self._pause - 1)
        return result

    def close(self) -> None:
        """Waits for a read of another thread's loop."""
        with self._lock:
            self._db.driver.close()
