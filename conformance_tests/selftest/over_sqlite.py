"""What a planted fault of SQL stands on: the SQLite adapter, whose statements and connection may lie.

A namespace is a file here, so that a file stored under one can be read under another.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from agentkeep import PersistenceAdapter
from agentkeep.capabilities import Durability
from agentkeep_conformance import AdapterConformance
from agentkeep_conformance.enrolment import OverClient, Trouble
from agentkeep_conformance.storage.engines import over_engine
from agentkeep_conformance.storage.sqlite_troubles import forbidden, locked, no_room
from agentkeep_sqlite import SQLiteAdapter, adapter
from agentkeep_sqlite.statements import Statements, load_statements
from over import plant


class OverSQLite(AdapterConformance):
    adapter: ClassVar[type[SQLiteAdapter]] = SQLiteAdapter

    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        return self.adapter(_file(dsn, namespace), **options)

    has_schema = True

    async def store_schema_version(self, dsn: str, namespace: str, version: int, oldest: int) -> None:
        with closing(sqlite3.connect(_file(dsn, namespace))) as connection, connection:
            connection.execute("UPDATE agentkeep_schema SET version = ?, oldest = ?", (version, oldest))

    def over_client(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[OverClient]:
        return over_engine(f"sqlite+aiosqlite:///{_file(dsn, namespace)}", self.adapter)

    @asynccontextmanager
    async def refuse_writes(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        yield Trouble(dsn, partial(forbidden, _file(dsn, namespace), "agentkeep_"))

    @asynccontextmanager
    async def fill(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        yield Trouble(dsn, partial(no_room, _file(dsn, namespace)))

    @asynccontextmanager
    async def hold_writes(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        yield Trouble(dsn, partial(locked, _file(dsn, namespace)))

    async def durabilities(self, dsn: str, namespace: str) -> AsyncGenerator[tuple[Durability, PersistenceAdapter]]:
        yield "fsync", self.adapter(_file(dsn, namespace))
        yield "os", self.adapter(_file(dsn, namespace), synchronous="NORMAL")

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        for part in _stored(Path(dsn)):
            yield part

    async def save_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        shutil.copy(_file(dsn, namespace), file)

    async def load_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        shutil.copy(file, _file(dsn, namespace))


def _stored(folder: Path) -> Iterator[bytes]:
    """Every row of every table, then the bytes of the files themselves."""
    for file in folder.glob("*.db"):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a name that SQLite gave
                    yield repr(row).encode()
    for part in folder.glob("*.db*"):
        yield part.read_bytes()


def _file(dsn: str, namespace: str) -> Path:
    return Path(dsn, f"{namespace}.db")


def state(name: str, lie: str) -> None:
    """Put another text in place of a named statement; `{prefix}` begins the tables' names."""

    def load(prefix: str) -> Statements:
        statements = dict(load_statements(prefix))
        _ = statements[name]
        return statements | {name: lie.replace("{prefix}", prefix)}

    plant(adapter, "load_statements", load)
