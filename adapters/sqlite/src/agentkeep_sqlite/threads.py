"""The client for a file that we open: one thread that writes and two that read, each with its own connection.

Short reads run on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from enum import Enum
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TypeVar

from agentkeep.errors import Closed, PersistenceError
from agentkeep.spi.clock import Clock, never_back
from agentkeep.spi.notify import Key, Notifier

from agentkeep_sqlite.client import Connection, DriverConnection, Unsettled, Work, pause_after, paused
from agentkeep_sqlite.commit import Job, commit_together, deliver_all, roll_back
from agentkeep_sqlite.errors import Phase, translated
from agentkeep_sqlite.notify import INTERVAL_SECONDS, FileListener, OtherProcesses
from agentkeep_sqlite.rows import to_micros
from agentkeep_sqlite.short_reads import NotShort, ShortReads
from agentkeep_sqlite.statements import Statements
from agentkeep_sqlite.urls import Database

T = TypeVar("T")


class Signal(Enum):
    """What a thread is told between jobs."""

    STOP = "stop"
    """One thread ends."""
    CHECK = "check"
    """The thread looks again at what it has to do while it waits: idle work, other processes' commits."""


Jobs = SimpleQueue[Job | Signal]

_GROUP = 256
"""At most so many writes share a commit, because the first of them waits for all."""
_READERS = 2


class ThreadClient:
    """Runs work on `sqlite3` itself. `:memory:` has one thread and one connection for everything."""

    warnings: tuple[str, ...] = ()

    def __init__(self, database: Database, statements: Statements, clock: Clock) -> None:
        self._now = never_back(clock)
        self._settled = 0
        self._idle_step: Work[bool] | None = None
        self.notifier = Notifier(partial(FileListener, self._start_checking))
        self._database = database
        self._other_processes = OtherProcesses(statements)
        self._lock = threading.Lock()
        self._is_open = False
        self._writes: Jobs = SimpleQueue()
        self._reads: Jobs = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._short_reads: ShortReads | None = None
        self._process = 0

    async def open(self) -> None:
        if self._is_open:
            return
        self._database.check_path()
        writer, self._short_reads = await self._first_connections()
        self._threads = [_start(self._write_forever, writer)]
        if self._database.is_memory:
            self._reads = self._writes
        else:
            self._threads += [_start(self._read_forever) for _ in range(_READERS)]
        self._process = os.getpid()
        self.notifier.open()
        self._is_open = True

    async def _first_connections(self) -> tuple[DriverConnection, ShortReads | None]:
        connecting = asyncio.get_running_loop().run_in_executor(None, self._connect_first)
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_close_unwanted)
            raise

    def _connect_first(self) -> tuple[DriverConnection, ShortReads | None]:
        writer = self._connect()
        if self._database.is_memory:
            return writer, None
        try:
            return writer, ShortReads(self._connect().driver, self._read_times)
        except BaseException:
            writer.driver.close()
            raise

    def _read_times(self) -> tuple[int, int]:
        """`now` and `settled` of a read that begins."""
        settled = self._settled
        return to_micros(self._now()), settled

    def _connect(self) -> DriverConnection:
        try:
            return DriverConnection(self._database.connect())
        except sqlite3.Error as error:
            raise translated(error, Phase.OPENING, self._database.path) from error

    async def read(self, work: Work[T], *, is_short: bool = False) -> T:
        if is_short and self._short_reads is not None:
            self._check_usable()
            with suppress(NotShort):
                return await self._short_reads.run(work)
        while True:
            try:
                return await self._submit(self._reads, work)
            except Unsettled:
                await self._submit(self._writes, _do_nothing)  # returns after every write that began earlier

    async def write(self, work: Work[T], *, changes: Key | None = None) -> T:
        return await self._submit(self._writes, work, changes)

    async def _submit(self, queue: Jobs, work: Work[T], changes: Key | None = None) -> T:
        job = Job(work, changes)
        with self._lock:  # so that no job is queued behind the stop
            self._check_usable()
            queue.put(job)
        return await job.ticket.answer()

    def _check_usable(self) -> None:
        if not self._is_open:
            raise Closed("this SQLite adapter is not open")
        if self._process != os.getpid():
            raise Closed("this SQLite adapter was opened before the process was forked: open one in each process")

    def _write_forever(self, db: DriverConnection) -> None:
        with closing(db.driver):
            while jobs := self._waiting_writes(db):
                try:
                    commit_together(db, jobs, self._database.path, self._begin)
                except Exception as error:  # a mistake of ours: the callers get it, and the thread goes on
                    roll_back(db)
                    for job in jobs:
                        job.error = error
                deliver_all(jobs)
                for job in jobs:
                    if job.changes is not None and job.error is None:
                        self.notifier.notify(job.changes)

    def _waiting_writes(self, db: DriverConnection) -> list[Job]:
        """All writes that wait. An empty list means that it is time to stop."""
        jobs: list[Job] = []
        next = self._next_write(db)
        while next is not Signal.STOP:
            if isinstance(next, Job):
                jobs.append(next)
            if len(jobs) == _GROUP:
                return jobs
            try:
                next = self._writes.get_nowait()
            except Empty:
                if jobs:
                    return jobs
                next = self._next_write(db)
        if jobs:
            self._writes.put(Signal.STOP)  # stop after these
        return jobs

    def _next_write(self, db: DriverConnection) -> Job | Signal:
        """Wait for a write. In the meantime, do idle work and notice what other processes append."""
        pause = 0.0
        while True:
            is_watched = self.notifier.has_watchers and not self._database.is_memory
            if is_watched and self._other_processes.is_due():
                self._notice_other_processes(db)
            if self._idle_step is None and not is_watched:
                return self._writes.get()
            try:
                return self._writes.get(timeout=pause if self._idle_step else INTERVAL_SECONDS)
            except Empty:
                pause = self._run_idle_step(db)

    def _run_idle_step(self, db: DriverConnection) -> float:
        """Returns for how many seconds others may write before the next step, see `write_step` (COST-3)."""
        step, self._idle_step = self._idle_step, None
        if step is None:
            return 0.0
        started = monotonic()
        try:
            db.driver.execute("BEGIN IMMEDIATE")
            self._begin(db)
            is_unfinished = step(db)
            db.driver.execute("COMMIT")
        except sqlite3.Error:
            roll_back(db)  # whoever asked for it asks again
            return 0.0
        if is_unfinished:
            self._idle_step = step
        return pause_after(started)

    def _begin(self, db: DriverConnection) -> None:
        """A write transaction has begun, so all earlier ones are committed, in all processes."""
        db.now = db.settled = self._settled = to_micros(self._now())

    def _notice_other_processes(self, db: DriverConnection) -> None:
        with suppress(sqlite3.Error):  # the next check comes soon, and watchers also read once a second
            for key in self._other_processes.appended(db):
                self.notifier.notify(key)

    def _read_forever(self) -> None:
        db: DriverConnection | None = None
        try:
            while isinstance(job := self._reads.get(), Job):
                try:
                    db = db or self._connect()
                    db.now, db.settled = self._read_times()
                    job.run(db, self._database.path)
                except PersistenceError as error:
                    job.error = error
                deliver_all([job])
        finally:
            if db is not None:
                db.driver.close()

    def _start_checking(self) -> None:
        self._writes.put(Signal.CHECK)

    async def write_step(self, work: Work[T]) -> T:
        return await paused(self.write(work))

    async def run_when_idle(self, step: Work[bool]) -> None:
        if self._idle_step is None:
            self._idle_step = step
            self._writes.put(Signal.CHECK)

    async def vacuum(self) -> bool:
        return await self._run_outside_transactions("VACUUM")

    async def checkpoint(self) -> None:
        await self._run_outside_transactions("PRAGMA wal_checkpoint(TRUNCATE)")

    async def _run_outside_transactions(self, statement: str) -> bool:
        """Returns False if another connection is in the way: the next sweep tries again."""
        if self._database.is_memory:
            return False
        return await asyncio.get_running_loop().run_in_executor(None, self._run_on_own_connection, statement)

    def _run_on_own_connection(self, statement: str) -> bool:
        try:
            with closing(self._database.connect()) as connection:
                connection.execute("PRAGMA busy_timeout = 1000")
                connection.execute(statement).fetchall()
        except (sqlite3.Error, PersistenceError):
            return False
        return True

    async def close(self) -> None:
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
            for _ in self._threads[1:]:
                self._reads.put(Signal.STOP)
            self._writes.put(Signal.STOP)
        self.notifier.close()
        await asyncio.get_running_loop().run_in_executor(None, self._join)

    def _join(self) -> None:
        """The last connection closes alone: SQLite 3.40 may leave its log if two close at the same moment."""
        for thread in self._threads:
            thread.join()
        if self._short_reads is not None:
            self._short_reads.close()


def _do_nothing(db: Connection) -> None:
    """A write that only waits for its turn."""


def _close_unwanted(connecting: asyncio.Future[tuple[DriverConnection, ShortReads | None]]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        writer, short_reads = connecting.result()
        writer.driver.close()
        if short_reads is not None:
            short_reads.close()


def _start(target: Callable[..., None], *arguments: object) -> threading.Thread:
    """Daemon threads: a script that forgets `close` still ends, and its acknowledged writes are on disk."""
    thread = threading.Thread(target=target, args=arguments, name="agentkeep-sqlite", daemon=True)
    thread.start()
    return thread
