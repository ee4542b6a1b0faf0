"""One thread that writes and a few that read, each with a connection of its own: the way below SQLAlchemy."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import TypeVar

from agentkeep.errors import Closed, PersistenceError

from agentkeep_sqlite.bell import Bell
from agentkeep_sqlite.connection import DriverConnection, Work
from agentkeep_sqlite.database import Database
from agentkeep_sqlite.errors import Phase, translated
from agentkeep_sqlite.group import Job, commit_together, deliver_all

T = TypeVar("T")
Jobs = SimpleQueue[Job | None]
"""None tells one thread to stop."""

_GROUP = 256
"""Writes that share a commit at most: the first of them waits for all."""
_READERS = 2
_LOOKOUT_SECONDS = 0.05
"""How soon watchers are woken for another process's commit."""


class ThreadExecutor:
    """Runs work on `sqlite3` itself. `:memory:` has one thread and one connection for all."""

    poll = timedelta(seconds=1)
    warnings: tuple[str, ...] = ()

    def __init__(self, database: Database) -> None:
        self.bell = Bell()
        self._database = database
        self._gate = threading.Lock()
        self._is_open = False
        self._writes: Jobs = SimpleQueue()
        self._reads: Jobs = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lookout: threading.Thread | None = None
        self._stopping = threading.Event()
        self._process = 0

    async def open(self) -> None:
        if self._is_open:
            return
        self._database.check_place()
        writer = await self._first_connection()
        self._stopping.clear()
        self._threads = [_start(self._write_forever, writer)]
        if self._database.is_memory:
            self._reads = self._writes
        else:
            self._threads += [_start(self._read_forever) for _ in range(_READERS)]
        self._process = os.getpid()
        self._is_open = True

    async def _first_connection(self) -> DriverConnection:
        connecting = asyncio.get_running_loop().run_in_executor(None, self._connect)
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_close_unwanted)
            raise

    def _connect(self) -> DriverConnection:
        try:
            return DriverConnection(self._database.connect())
        except sqlite3.Error as error:
            raise translated(error, Phase.OPENING, self._database.path) from error

    async def read(self, work: Work[T]) -> T:
        return await self._submit(self._reads, work)

    async def write(self, work: Work[T]) -> T:
        return await self._submit(self._writes, work)

    async def _submit(self, queue: Jobs, work: Work[T]) -> T:
        job = Job(work)
        with self._gate:  # nothing is queued behind the stop
            if not self._is_open:
                raise Closed("this SQLite adapter is not open")
            if self._process != os.getpid():
                raise Closed("this SQLite adapter was opened before the process was forked: open one in each process")
            queue.put(job)
        return await job.outcome()

    def _write_forever(self, db: DriverConnection) -> None:
        with closing(db.driver):
            while jobs := self._waiting():
                changes = db.driver.total_changes
                commit_together(db, jobs, self._database.path)
                deliver_all(jobs)
                if db.driver.total_changes != changes:
                    self.bell.ring()

    def _waiting(self) -> list[Job]:
        """All writes that wait; none when it is time to stop."""
        jobs: list[Job] = []
        while not jobs:
            job = self._writes.get()
            while job is not None:
                jobs.append(job)
                if len(jobs) == _GROUP:
                    return jobs
                try:
                    job = self._writes.get_nowait()
                except Empty:
                    break
            else:
                if not jobs:
                    return []
                self._writes.put(None)  # stop after these
        return jobs

    def _read_forever(self) -> None:
        db: DriverConnection | None = None
        try:
            while (job := self._reads.get()) is not None:
                try:
                    db = db or self._connect()
                    job.run(db, self._database.path)
                except PersistenceError as error:
                    job.error = error
                deliver_all([job])
        finally:
            if db is not None:
                db.driver.close()

    def look_out(self) -> None:
        """Ring the bell for other processes' commits too, as long as somebody listens."""
        with self._gate:
            if self._is_open and self._lookout is None and not self._database.is_memory:
                self._lookout = _start(self._look_out_forever)

    def _look_out_forever(self) -> None:
        try:
            with closing(self._database.connect()) as connection:
                seen = None
                while self._somebody_listens():
                    (version,) = connection.execute("PRAGMA data_version").fetchone()
                    if seen not in (None, version):
                        self.bell.ring()
                    seen = version
                    self._stopping.wait(_LOOKOUT_SECONDS)
        except (sqlite3.Error, PersistenceError):
            with self._gate:  # watchers look for themselves meanwhile, and the next one starts another
                self._lookout = None

    def _somebody_listens(self) -> bool:
        with self._gate:
            if self._is_open and self.bell.has_listeners:
                return True
            self._lookout = None
            return False

    async def rewrite(self) -> bool:
        return await self._tidy_up("VACUUM")

    async def checkpoint(self) -> None:
        await self._tidy_up("PRAGMA wal_checkpoint(TRUNCATE)")

    async def _tidy_up(self, statement: str) -> bool:
        """Run a statement that belongs in no transaction. One that somebody is in the way of is left for next time."""
        if self._database.is_memory:
            return False
        return await asyncio.get_running_loop().run_in_executor(None, self._alone, statement)

    def _alone(self, statement: str) -> bool:
        try:
            with closing(self._database.connect()) as connection:
                connection.execute("PRAGMA busy_timeout = 1000")
                connection.execute(statement).fetchall()
        except (sqlite3.Error, PersistenceError):
            return False
        return True

    async def close(self) -> None:
        with self._gate:
            if not self._is_open:
                return
            self._is_open = False
            threads = [*self._threads, *([self._lookout] if self._lookout else [])]
            for _ in self._threads[1:]:
                self._reads.put(None)
            self._writes.put(None)
        self._stopping.set()
        await asyncio.get_running_loop().run_in_executor(None, lambda: [thread.join() for thread in threads])


def _close_unwanted(connecting: asyncio.Future[DriverConnection]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().driver.close()


def _start(target: Callable[..., None], *arguments: object) -> threading.Thread:
    """A daemon: a script that forgets `close` still ends, and what it was told is committed is on disk."""
    thread = threading.Thread(target=target, args=arguments, name="agentkeep-sqlite", daemon=True)
    thread.start()
    return thread
