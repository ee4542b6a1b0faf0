"""What SQLite stores: rows and files."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from agentkeep_conformance.enrolment import Enrolment
from agentkeep_conformance.storage.names import CORPUS_NAMESPACE

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_WITHOUT_SESSIONS = ("schema", "upkeep", "search", "search_data", "search_idx", "search_config")
"""Tables that have rows if there is no session: one row about the database, and the parts of FTS5's index."""
_schemas: dict[type[Enrolment], tuple[str, bytes]] = {}
"""By enrolment: a namespace, and the file that its adapter made for it."""


class SQLiteStorage(Enrolment):
    """For an enrolment: reads, saves and loads one file of the test's directory, `keep.db`."""

    def file(self, dsn: str) -> Path:
        return Path(dsn, "keep.db")

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        for part in stored_bytes(self.file(dsn)):
            yield part

    async def records(self, dsn: str, namespace: str) -> int | None:
        return rows_of(self.file(dsn), namespace)

    async def settle(self, dsn: str, namespace: str) -> None:
        execute(self.file(dsn), "PRAGMA wal_checkpoint(TRUNCATE)")

    async def copy_schema(self, dsn: str, namespace: str) -> None:
        """To make the tables takes more than half of the time of a short test."""
        file = self.file(dsn)
        if type(self) not in _schemas:
            adapter = self.open(dsn, namespace)
            await adapter.open()
            await adapter.close()
            execute(file, "PRAGMA wal_checkpoint(TRUNCATE)")
            _schemas[type(self)] = (namespace, file.read_bytes())
        made_for, content = _schemas[type(self)]
        file.write_bytes(_renamed(content, made_for, namespace))

    async def save_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await asyncio.to_thread(_copy_renamed, self.file(dsn), namespace, file, CORPUS_NAMESPACE)

    async def load_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await asyncio.to_thread(_copy_renamed, file, CORPUS_NAMESPACE, self.file(dsn), namespace)


def execute(path: Path, statement: str) -> None:
    """Run one statement and commit."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def stored_bytes(path: Path) -> Iterator[bytes]:
    """The bytes of the files as they are now, the write-ahead log too, then every row of every table."""
    for file in path.parent.glob(f"{path.name}*"):
        yield file.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        for (table,) in connection.execute(_TABLES).fetchall():
            for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - SQLite returned the name
                yield repr(row).encode()


def rows_of(path: Path, prefix: str) -> int:
    """How many rows the tables have whose names begin with the prefix, besides those that never are empty."""
    others = {f"{prefix}{name}" for name in _WITHOUT_SESSIONS}
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute(_TABLES) if name.startswith(prefix) and name not in others]
        return sum(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names)  # noqa: S608


async def rows_of_engine(engine: Any) -> AsyncIterator[bytes]:
    """Every row of every table of an SQLAlchemy engine's database, such as one in memory."""
    async with engine.connect() as connection:
        tables = await connection.exec_driver_sql(_TABLES)
        for table in tables.scalars().all():
            for row in await connection.exec_driver_sql(f"SELECT * FROM {table}"):  # noqa: S608 - SQLite's own name
                yield repr(tuple(row)).encode()


@contextmanager
def counted(kind: type, name: str) -> Generator[list[int]]:
    """The steps of SQLite's virtual machine during each call of a method that is given a connection first.

    The connection has that of `sqlite3` in its attribute `driver`.
    """
    steps: list[int] = []
    run = getattr(kind, name)

    def run_counted(self: Any, db: Any, *arguments: Any) -> Any:
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        db.driver.set_progress_handler(step, 1)
        try:
            return run(self, db, *arguments)
        finally:
            db.driver.set_progress_handler(None, 1)
            steps.append(count)

    with patch.object(kind, name, run_counted):
        yield steps


def _copy_renamed(source: Path, namespace: str, target: Path, new_namespace: str) -> None:
    target.write_bytes(_renamed(source.read_bytes(), namespace, new_namespace))


def _renamed(content: bytes, namespace: str, new_namespace: str) -> bytes:
    assert len(namespace) == len(new_namespace), "names of one length keep each byte where it is"
    return content.replace(namespace.encode(), new_namespace.encode())
