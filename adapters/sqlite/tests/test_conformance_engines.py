"""The SQLite adapter keeps every clause over an engine of the caller's, of a file and of a database in memory."""

import logging
from collections.abc import AsyncIterator
from typing import Any

from agentkeep_conformance import AdapterConformance
from agentkeep_conformance.storage.sqlite import SQLiteStorage, rows_of_engine
from agentkeep_sqlite import SQLiteAdapter
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

_in_memory: dict[str, AsyncEngine] = {}
"""The engines whose one connection is a database, by the test's directory."""

logging.getLogger("aiosqlite").setLevel(logging.INFO)
"""As callers with engines should: at DEBUG that driver logs every value that passes through it."""


class TestSqliteEngine(SQLiteStorage, AdapterConformance):
    everyday, one_in = False, 8

    def open(self, dsn: str, namespace: str, **options: Any) -> SQLiteAdapter:
        engine = create_async_engine(f"sqlite+aiosqlite:///{self.file(dsn)}", poolclass=NullPool)
        return SQLiteAdapter(engine, prefix=namespace, **options)


class TestSqliteMemory(AdapterConformance):
    """Two instances see the same data if they have the same connection."""

    everyday, one_in, one_loop = False, 8, True

    def open(self, dsn: str, namespace: str, **options: Any) -> SQLiteAdapter:
        if dsn not in _in_memory:
            _in_memory[dsn] = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
        return SQLiteAdapter(_in_memory[dsn], prefix=namespace, **options)

    def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        return rows_of_engine(_in_memory[dsn])

    async def drop(self, dsn: str, namespace: str) -> None:
        engine = _in_memory.pop(dsn, None)
        if engine is not None:
            await engine.dispose()
