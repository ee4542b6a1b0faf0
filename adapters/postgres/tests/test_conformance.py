"""The PostgreSQL adapter keeps every clause."""

from collections.abc import AsyncIterator
from typing import Any, ClassVar

import psycopg
from agentkeep_conformance import AdapterConformance
from agentkeep_conformance.servers import POSTGRES
from agentkeep_postgres import PostgresAdapter
from psycopg.sql import SQL, Identifier


async def stored_rows(dsn: str) -> AsyncIterator[bytes]:
    """Every row of every table of the database."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        tables = await connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_)'"
        )
        for name in await tables.fetchall():
            rows = await connection.execute(SQL("SELECT t::text FROM {} AS t").format(Identifier(*name)))
            async for (row,) in rows:
                yield row.encode()


async def drop_tables(dsn: str, prefix: str) -> None:
    """Remove what one namespace made."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        found = await connection.execute(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE starts_with(proname, %s)", [prefix]
        )
        for (function,) in await found.fetchall():
            await connection.execute(SQL("DROP FUNCTION {}").format(SQL(function)))
        for table in ("sessions", "messages", "schema_version"):
            await connection.execute(SQL("DROP TABLE IF EXISTS {} CASCADE").format(Identifier(prefix + table)))


class TestPostgres(AdapterConformance):
    server = POSTGRES
    one_connection: ClassVar[dict[str, Any]] = {"pool_size": 1}
    impatient: ClassVar[dict[str, Any]] = {"command_timeout": 0.5, "connect_timeout": 0.5}
    round_trips: ClassVar[dict[str, int]] = {"greeting": 4}
    """Whether there is TLS, who we are, and two to prove it (SCRAM)."""

    def open(self, dsn: str, namespace: str, **options: Any) -> PostgresAdapter:
        return PostgresAdapter.from_url(dsn, prefix=namespace, **options)

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        async for row in stored_rows(dsn):
            yield row

    async def drop(self, dsn: str, namespace: str) -> None:
        await drop_tables(dsn, namespace)
