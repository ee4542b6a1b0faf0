"""A namespace of its own on the real server for each test; NOT RUN if there is none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from agentkeep import Keep
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import PGBOUNCER, POSTGRES
from agentkeep_conformance.storage.postgres import drop_prefix
from agentkeep_postgres import PostgresAdapter
from psycopg.sql import SQL


@dataclass
class Database:
    """One prefix in the test server's database, with a way in behind the adapter's back."""

    dsn: str
    prefix: str = field(default_factory=lambda: f"t{uuid4().hex[:8]}_")

    def adapter(self, **options: Any) -> PostgresAdapter:
        return PostgresAdapter.from_url(self.dsn, **{"prefix": self.prefix, **options})

    def keep(self, **options: Any) -> Keep:
        """Not opened yet."""
        return Keep(self.adapter(**options))

    async def run(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """One statement, or several without arguments, with {p} for the prefix; what it gave."""
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            text = SQL(sql.replace("{p}", self.prefix))  # pyright: ignore[reportArgumentType] - a test's own text
            cursor = await connection.execute(text, arguments or None)
            return await cursor.fetchall() if cursor.description else []

    async def drop(self) -> None:
        await drop_prefix(self.dsn, self.prefix)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """On the server that the test's parameter names, if it has one."""
    database = Database(dsn_of(getattr(request, "param", POSTGRES), request.config))
    yield database
    await database.drop()


@pytest.fixture
def bouncer(request: pytest.FixtureRequest) -> str:
    return dsn_of(PGBOUNCER, request.config)
