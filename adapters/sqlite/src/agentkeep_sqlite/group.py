"""Group commit: one transaction for all writes that wait, each in a SAVEPOINT so that one's error is its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from agentkeep_sqlite.connection import DriverConnection, Work
from agentkeep_sqlite.errors import Phase, translated


class Job:
    """One piece of work, and the future that waits for it in whichever event loop that is."""

    __slots__ = ("_is_over", "_is_started", "_settled", "_ticket", "error", "future", "loop", "result", "work")

    def __init__(self, work: Work[Any]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None
        self._ticket = [True]
        self._is_started = False
        self._is_over = False
        self._settled: asyncio.Future[None] | None = None

    async def outcome(self) -> Any:
        """What the work gave. Cancelled, it is withdrawn if nobody has begun it, else waited for: whoever sees the
        cancellation sees its effect too (FLT-3)."""
        try:
            return await self.future
        except asyncio.CancelledError:
            if self.future.cancelled() and not self._take() and not self._is_over:
                await self._settle()
            raise

    def _take(self) -> bool:
        """Either the thread begins the work or its caller withdraws it: `pop` lets one of them through."""
        try:
            return self._ticket.pop()
        except IndexError:
            return False

    async def _settle(self) -> None:
        settled = self._settled = self.loop.create_future()
        while not settled.done():
            with suppress(asyncio.CancelledError):  # once more: the end is near
                await asyncio.shield(settled)

    def run(self, db: DriverConnection, place: str) -> None:
        """Keep the result, or the error as it will be raised. It may be run again after a rollback."""
        if not self._is_started and not self._take():
            return
        self._is_started = True
        self.result = self.error = None
        try:
            self.result = self.work(db)
        except sqlite3.Error as error:
            self.error = translated(error, Phase.WORKING, place)
        except BaseException as error:  # it belongs to the caller; the thread goes on
            self.error = error

    def deliver(self) -> None:
        """In the future's own loop, perhaps between a cancelling and the moment when the cancelled task wakes."""
        self._is_over = True
        if self._settled is not None:
            self._settled.set_result(None)
        if self.future.done():
            return  # the caller was cancelled
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


def commit_together(db: DriverConnection, jobs: Sequence[Job], place: str) -> None:
    """Run jobs in one transaction. Afterwards each has its result, or its error and left nothing behind."""
    try:
        db.driver.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        _fail(jobs, error, Phase.WORKING, place)
        return
    for job in jobs:
        _run_apart(db, job, place)
        if not db.driver.in_transaction:
            _one_by_one(db, jobs, place)
            return
    try:
        db.driver.execute("COMMIT")
    except sqlite3.Error as error:
        _roll_back(db)
        _fail([job for job in jobs if job.error is None], error, Phase.COMMITTING, place)


def _run_apart(db: DriverConnection, job: Job, place: str) -> None:
    try:
        db.driver.execute("SAVEPOINT job")
        job.run(db, place)
        if job.error is not None and db.driver.in_transaction:
            db.driver.execute("ROLLBACK TO job")
        if db.driver.in_transaction:
            db.driver.execute("RELEASE job")
    except sqlite3.Error as error:
        job.error = translated(error, Phase.WORKING, place)
        _roll_back(db)


def _one_by_one(db: DriverConnection, jobs: Sequence[Job], place: str) -> None:
    """SQLite itself rolled all back for one job's error (a full disk, say): the others get a transaction each."""
    if len(jobs) > 1:
        for job in jobs:
            commit_together(db, [job], place)


def _roll_back(db: DriverConnection) -> None:
    if db.driver.in_transaction:
        with suppress(sqlite3.Error):  # the error that led here is the one to tell
            db.driver.execute("ROLLBACK")


def _fail(jobs: Sequence[Job], error: sqlite3.Error, phase: Phase, place: str) -> None:
    for job in jobs:
        job.error = translated(error, phase, place)


def deliver_all(jobs: Sequence[Job]) -> None:
    """Wake each event loop once for all of its jobs."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[Job]] = defaultdict(list)
    for job in jobs:
        by_loop[job.loop].append(job)
    for loop, theirs in by_loop.items():
        with suppress(RuntimeError):  # that loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_deliver, theirs)


def _deliver(jobs: list[Job]) -> None:
    for job in jobs:
        job.deliver()
