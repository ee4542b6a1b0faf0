"""A namespace of its own on the real server for each test; NOT RUN where there is none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

import psycopg
import pytest
from agentkeep import Keep
from agentkeep_conformance.outcomes import REQUIRED, TIER, dsn_of
from agentkeep_conformance.servers import PGBOUNCER, POSTGRES
from agentkeep_postgres import PostgresAdapter
from psycopg.sql import SQL

_LIFE = {"lifecycle", "ttl", "upgrade"}
_VERBS = {"archive", "erasure", "forks", "messages", "order_paging", "searching", "sessions", "watching"}
_WIRE = {"cancellation", "cost", "crashes", "faults", "processes", "watching"}
_IN_THE_GATE = {
    "TestPostgresRows": _LIFE | _VERBS | {"processes"},
    "TestPsycopg": _WIRE | {"capabilities", "errors", "fidelity", "lifecycle", "searching"},
    "TestPgBouncer": _WIRE | {"concurrency", "lifecycle"},
    "TestPostgresWords": {"searching"},
    "TestPostgresOldest": _LIFE | {"messages", "searching"},
    "TestPostgresNewest": _LIFE | {"messages", "searching"},
}
"""The families in which a suite can differ from the first one: by rights, driver, pooler, or server's version."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The first suite runs every day; the others whole in the nightly tier and when named, and in part in the gate."""
    if config.stash[TIER] == "nightly":
        return
    named = {suite for suite in _IN_THE_GATE if any(suite in argument for argument in config.args)}
    left_out = [item for item in items if _is_left_out(item, named, in_the_gate=config.stash[REQUIRED])]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _is_left_out(item: pytest.Item, named: set[str], *, in_the_gate: bool) -> bool:
    suite = item.cls.__name__ if isinstance(item, pytest.Function) and item.cls else ""
    if suite not in _IN_THE_GATE or suite in named:
        return False
    family = cast("Any", item).function.__module__.rpartition(".")[2]
    return not in_the_gate or family not in _IN_THE_GATE[suite]


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
        found = await self.run(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE starts_with(proname, %s)", self.prefix
        )
        for (function,) in found:
            await self.run(f"DROP FUNCTION {function}")
        await self.run("DROP TABLE IF EXISTS {p}sessions, {p}messages, {p}schema_version CASCADE")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    database = Database(dsn_of(POSTGRES, request.config))
    yield database
    await database.drop()


@pytest.fixture
def bouncer(request: pytest.FixtureRequest) -> str:
    return dsn_of(PGBOUNCER, request.config)
