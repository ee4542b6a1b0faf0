"""The PostgreSQL adapter keeps every clause."""

from collections.abc import AsyncIterator
from typing import Any, ClassVar
from urllib.parse import urlsplit

import psycopg
from agentkeep_conformance import AdapterConformance
from agentkeep_conformance.servers import PGBOUNCER, POSTGRES, POSTGRES_NEWEST, POSTGRES_OLDEST
from agentkeep_postgres import PostgresAdapter
from psycopg.sql import SQL, Identifier, Literal


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


_DROP = """
DO $$
DECLARE
    prefix text := {};
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY['sessions', 'messages', 'schema_version'] LOOP
        EXECUTE format('DROP TABLE IF EXISTS %I CASCADE', prefix || made);
    END LOOP;
    SELECT string_agg(oid::regprocedure::text, ', ') INTO made FROM pg_proc WHERE starts_with(proname, prefix);
    IF made IS NOT NULL THEN
        EXECUTE 'DROP FUNCTION ' || made;
    END IF;
END
$$
"""


async def drop_tables(dsn: str, prefix: str) -> None:
    """Remove what one namespace made."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.execute(SQL(_DROP).format(Literal(prefix)))


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


class TestPsycopg(TestPostgres):
    """The other driver."""

    def open(self, dsn: str, namespace: str, **options: Any) -> PostgresAdapter:
        return super().open(dsn.replace("postgresql://", "postgresql+psycopg://"), namespace, **options)


class TestPgBouncer(TestPostgres):
    """Through a pooler in transaction mode, which is what a kill ends here; the server behind it lives on."""

    server = PGBOUNCER
    round_trips: ClassVar[dict[str, int]] = {
        "greeting": 4,
        "append": 2,
        "append with ids": 2,
        "read": 2,
    }
    """asyncpg parses and executes in two, and behind a pooler nothing stays parsed."""


class TestPostgresRows(TestPostgres):
    """A role that may read and write rows and nothing else; the owner ran what `agentkeep migrate --sql` prints."""

    def prepare(self, dsn: str, namespace: str) -> None:
        """The rights are those that the adapter's page names."""
        role = Identifier(namespace)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(PostgresAdapter.from_url(dsn, prefix=namespace).migrations_sql().encode())
            connection.execute(SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, Literal(namespace)))
            tables = SQL(", ").join([Identifier(f"{namespace}sessions"), Identifier(f"{namespace}messages")])
            connection.execute(SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(tables, role))
            versions = Identifier(f"{namespace}schema_version")
            connection.execute(SQL("GRANT SELECT ON {} TO {}").format(versions, role))

    def open(self, dsn: str, namespace: str, **options: Any) -> PostgresAdapter:
        address = urlsplit(dsn)
        own = address._replace(netloc=f"{namespace}:{namespace}@{address.hostname}:{address.port}")
        return super().open(own.geturl(), namespace, manage_schema=False, **options)

    async def drop(self, dsn: str, namespace: str) -> None:
        await super().drop(dsn, namespace)
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await connection.execute(SQL("DROP ROLE IF EXISTS {}").format(Identifier(namespace)))


class TestPostgresOldest(TestPostgres):
    server = POSTGRES_OLDEST


class TestPostgresNewest(TestPostgres):
    server = POSTGRES_NEWEST
