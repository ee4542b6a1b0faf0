"""Group commit: the jobs of a thread. What waits together is committed together, so that many writes share an fsync."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from agentkeep.spi.notify import Key
from agentkeep.spi.together import Ticket

from agentkeep_sqlite.client import DriverConnection, Work
from agentkeep_sqlite.errors import Phase, translated


class Job:
    """One piece of work for a thread, and the ticket of the caller that waits for it, in any event loop."""

    __slots__ = ("_is_taken", "changes", "error", "result", "ticket", "work")

    def __init__(self, work: Work[Any], changes: Key | None = None) -> None:
        self.work = work
        self.changes = changes
        self.ticket: Ticket[Any] = Ticket()
        self.result: Any = None
        self.error: BaseException | None = None
        self._is_taken = False

    def run(self, db: DriverConnection, database: str) -> None:
        """Keep the result, or the error that the caller will get. It may run again after a rollback."""
        if not self._is_taken and not self.ticket.take():
            return
        self._is_taken = True
        self.result = self.error = None
        try:
            self.result = self.work(db)
        except sqlite3.Error as error:
            self.error = translated(error, Phase.WORKING, database)
        except BaseException as error:  # the caller gets it, and the thread goes on
            self.error = error


def commit_together(
    db: DriverConnection, jobs: Sequence[Job], database: str, on_begin: Callable[[DriverConnection], None]
) -> None:
    """Run jobs in one transaction. Afterwards each job has its result, or its error and no effect.

    Each of several jobs has a SAVEPOINT, so that one job's error does not undo the others.
    """
    try:
        db.driver.execute("BEGIN IMMEDIATE")
        on_begin(db)
    except sqlite3.Error as error:
        _fail(jobs, error, Phase.WORKING, database)
        return
    if len(jobs) == 1:
        jobs[0].run(db, database)
        if jobs[0].error is not None:
            roll_back(db)
            return
    else:
        for job in jobs:
            _run_in_savepoint(db, job, database)
            if not db.driver.in_transaction:  # SQLite rolled all of them back for one error, a full disk for example
                for one in jobs:
                    commit_together(db, [one], database, on_begin)
                return
    try:
        db.driver.execute("COMMIT")
    except sqlite3.Error as error:
        roll_back(db)
        _fail([job for job in jobs if job.error is None], error, Phase.COMMITTING, database)


def _run_in_savepoint(db: DriverConnection, job: Job, database: str) -> None:
    try:
        db.driver.execute("SAVEPOINT job")
        job.run(db, database)
        if job.error is not None and db.driver.in_transaction:
            db.driver.execute("ROLLBACK TO job")
        if db.driver.in_transaction:
            db.driver.execute("RELEASE job")
    except sqlite3.Error as error:
        job.error = translated(error, Phase.WORKING, database)
        roll_back(db)


def roll_back(db: DriverConnection) -> None:
    if db.driver.in_transaction:
        with suppress(sqlite3.Error):  # the caller gets the first error
            db.driver.execute("ROLLBACK")


def _fail(jobs: Sequence[Job], error: sqlite3.Error, phase: Phase, database: str) -> None:
    for job in jobs:
        job.error = translated(error, phase, database)


def deliver_all(jobs: Sequence[Job]) -> None:
    """Wake each event loop once for all of its jobs."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[Job]] = defaultdict(list)
    for job in jobs:
        by_loop[job.ticket.loop].append(job)
    for loop, of_loop in by_loop.items():
        with suppress(RuntimeError):  # that loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_deliver, of_loop)


def _deliver(jobs: list[Job]) -> None:
    for job in jobs:
        job.ticket.end(job.result, job.error)
