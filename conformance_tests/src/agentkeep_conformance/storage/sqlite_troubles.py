"""What can go wrong with a SQLite file: a rule that forbids writes, no room for more, a lock that somebody holds."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

from agentkeep import PersistenceAdapter
from agentkeep.capabilities import Durability

from agentkeep_conformance.enrolment import Trouble
from agentkeep_conformance.storage.sqlite import SQLiteStorage

_TABLES = "SELECT name FROM pragma_table_list WHERE type = 'table' AND name LIKE ? || '%'"

_BY_SYNCHRONOUS: dict[str, Durability] = {"FULL": "fsync", "NORMAL": "os"}
_VERBS = ("insert", "update", "delete")


class SQLiteTroubles(SQLiteStorage):
    """For an enrolment on a file. A missing right can't be made here: root writes whatever the file's mode says."""

    @asynccontextmanager
    async def refuse_writes(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        yield Trouble(dsn, partial(forbidden, self.file(dsn), namespace))

    @asynccontextmanager
    async def fill(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        yield Trouble(dsn, partial(no_room, self.file(dsn)))

    @asynccontextmanager
    async def hold_writes(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        yield Trouble(dsn, partial(locked, self.file(dsn)))

    async def durabilities(self, dsn: str, namespace: str) -> AsyncGenerator[tuple[Durability, PersistenceAdapter]]:
        """By the adapter's own option: the setting is the connection's, and no file keeps it."""
        for setting, grade in _BY_SYNCHRONOUS.items():
            yield grade, self.open(dsn, namespace, synchronous=setting)


@asynccontextmanager
async def forbidden(file: Path, namespace: str) -> AsyncGenerator[None]:
    """A trigger on each table refuses what is inserted, updated and deleted."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        tables = [name for (name,) in connection.execute(_TABLES, [namespace]).fetchall()]
        triggers = {
            f"{table}_forbids_{verb}": (table, verb) for table in tables for verb in ("insert", "update", "delete")
        }
        for name, (table, verb) in triggers.items():
            refuse = "SELECT RAISE(ABORT, 'planted by the suite')"
            connection.execute(f"CREATE TRIGGER {name} BEFORE {verb} ON {table} BEGIN {refuse}; END")
        try:
            yield
        finally:
            for name in triggers:
                connection.execute(f"DROP TRIGGER {name}")


@asynccontextmanager
async def no_room(file: Path) -> AsyncGenerator[None]:
    """No file of this process may grow beyond the write-ahead log as it is now."""
    log = file.with_name(f"{file.name}-wal")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@asynccontextmanager
async def locked(file: Path) -> AsyncGenerator[None]:
    """Another connection holds the lock that every writer needs."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
