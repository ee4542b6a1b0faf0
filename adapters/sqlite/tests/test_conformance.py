"""The SQLite adapter keeps every clause: on a file that it opens itself, and through engines that are the caller's."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from agentkeep import PersistenceAdapter
from agentkeep_conformance import AdapterConformance
from agentkeep_conformance.families.upgrade import released
from agentkeep_conformance.hooks import Given
from agentkeep_sqlite import SQLiteAdapter
from agentkeep_sqlite.connection import DriverConnection
from agentkeep_sqlite.group import Job
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

_in_memory: dict[str, AsyncEngine] = {}
"""The engines whose one connection is a database, by the test's directory."""


logging.getLogger("aiosqlite").setLevel(logging.INFO)
"""As callers with engines should: at DEBUG that driver logs every value that passes through it."""


def file_of(dsn: str) -> Path:
    return Path(dsn) / "keep.db"


def stored_bytes(path: Path) -> Iterator[bytes]:
    """Every row of every table, then the bytes of the files themselves."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield from _rows(connection)
    for file in path.parent.glob(f"{path.name}*"):
        yield file.read_bytes()


def _rows(connection: sqlite3.Connection) -> Iterator[bytes]:
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a name that SQLite gave
            yield repr(row).encode()


_NAMESPACE = "n0000000000"
"""What stands for the namespace in a corpus."""


def copy_renamed(source: Path, namespace: str, target: Path, new_namespace: str) -> None:
    """Namespaces are all of one length, so that each byte of the database stays in its place."""
    assert len(namespace) == len(new_namespace)
    target.write_bytes(source.read_bytes().replace(namespace.encode(), new_namespace.encode()))


class TestSqlite(AdapterConformance):
    impatient: ClassVar[dict[str, Any]] = {"busy_timeout": timedelta(seconds=0.5)}
    corpora = released(Path(__file__).parent / "corpora")

    def open(self, dsn: str, namespace: str, **options: Any) -> SQLiteAdapter:
        return SQLiteAdapter(file_of(dsn), prefix=namespace, **options)

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        for piece in stored_bytes(file_of(dsn)):
            yield piece

    unmanaged: ClassVar[dict[str, Any]] = {"manage_schema": False}

    async def make_newer(self, dsn: str, namespace: str) -> None:
        with closing(sqlite3.connect(file_of(dsn))) as connection, connection:
            connection.execute(f"INSERT INTO {namespace}migration VALUES (999, 0)")  # noqa: S608 - the suite's name

    @asynccontextmanager
    async def over_given(self, dsn: str, namespace: str) -> AsyncGenerator[Given]:
        engine = create_async_engine(f"sqlite+aiosqlite:///{file_of(dsn)}")
        pool = engine.pool

        async def usable() -> bool:
            async with engine.connect() as connection:
                answer = await connection.exec_driver_sql("SELECT 1")
            return engine.pool is pool and answer.scalar_one() == 1

        try:
            yield Given(SQLiteAdapter(engine, prefix=namespace), usable)
        finally:
            await engine.dispose()

    async def save_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await asyncio.to_thread(copy_renamed, file_of(dsn), namespace, file, _NAMESPACE)

    async def load_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await asyncio.to_thread(copy_renamed, file, _NAMESPACE, file_of(dsn), namespace)

    async def work(self, adapter: PersistenceAdapter, call: Callable[[], Awaitable[Any]]) -> int:
        """The steps of SQLite's virtual machine, in its threads."""
        steps = 0
        run = Job.run

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        def counted(job: Job, db: DriverConnection, place: str) -> None:
            db.driver.set_progress_handler(step, 1)
            try:
                run(job, db, place)
            finally:
                db.driver.set_progress_handler(None, 1)

        with patch.object(Job, "run", counted):
            await call()
        assert steps, "no step was counted"
        return steps


class TestSqliteEngine(AdapterConformance):
    def open(self, dsn: str, namespace: str, **options: Any) -> SQLiteAdapter:
        engine = create_async_engine(f"sqlite+aiosqlite:///{file_of(dsn)}", poolclass=NullPool)
        return SQLiteAdapter(engine, prefix=namespace, **options)

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        for piece in stored_bytes(file_of(dsn)):
            yield piece


class TestSqliteMemory(AdapterConformance):
    """Two instances see the same data where they have the same connection."""

    def open(self, dsn: str, namespace: str, **options: Any) -> SQLiteAdapter:
        if dsn not in _in_memory:
            _in_memory[dsn] = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
        return SQLiteAdapter(_in_memory[dsn], prefix=namespace, **options)

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        async with _in_memory[dsn].connect() as connection:
            tables = await connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
            for table in tables.scalars().all():
                for row in await connection.exec_driver_sql(f"SELECT * FROM {table}"):  # noqa: S608 - SQLite's name
                    yield repr(tuple(row)).encode()

    async def drop(self, dsn: str, namespace: str) -> None:
        engine = _in_memory.pop(dsn, None)
        if engine is not None:
            await engine.dispose()
