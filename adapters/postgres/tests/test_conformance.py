"""The PostgreSQL adapter keeps every clause."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import psycopg
from agentkeep import Keep
from agentkeep_conformance import AdapterConformance
from agentkeep_conformance.base import Enrolment
from agentkeep_conformance.clauses import proves
from agentkeep_conformance.families.searching import Searching
from agentkeep_conformance.families.upgrade import released
from agentkeep_conformance.hooks import Given
from agentkeep_conformance.servers import PGBOUNCER, POSTGRES, POSTGRES_NEWEST, POSTGRES_OLDEST
from agentkeep_postgres import PostgresAdapter
from psycopg.sql import SQL, Identifier, Literal
from sqlalchemy.ext.asyncio import create_async_engine


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


_NAMESPACE = "n0000000000"
"""What stands for the namespace in a corpus."""
_TABLES = ("sessions", "messages")


async def save(dsn: str, namespace: str, file: Path) -> None:
    """The schema as a release printed it, then each table's rows as JSON."""
    parts = [PostgresAdapter.from_url(dsn, prefix=namespace).migrations_sql()]
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        for table in _TABLES:
            rows = SQL("SELECT coalesce(json_agg(t), '[]')::text FROM {} AS t").format(Identifier(namespace + table))
            found = await (await connection.execute(rows)).fetchone()
            parts += found or ()
    await asyncio.to_thread(file.write_text, json.dumps(parts, indent=1).replace(namespace, _NAMESPACE) + "\n")


async def load(dsn: str, namespace: str, file: Path) -> None:
    text = await asyncio.to_thread(file.read_text)
    schema, *rows = json.loads(text.replace(_NAMESPACE, namespace))
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(schema.encode())
        for table, found in zip(_TABLES, rows, strict=True):
            insert = SQL("INSERT INTO {0} SELECT * FROM json_populate_recordset(NULL::{0}, %s)")
            await connection.execute(insert.format(Identifier(namespace + table)), [found])


class TestPostgres(AdapterConformance):
    server = POSTGRES
    one_connection: ClassVar[dict[str, Any]] = {"pool_size": 1}
    impatient: ClassVar[dict[str, Any]] = {"command_timeout": 0.5, "connect_timeout": 0.5}
    round_trips: ClassVar[dict[str, int]] = {"greeting": 4}
    """Whether there is TLS, who we are, and two to prove it (SCRAM)."""

    unmanaged: ClassVar[dict[str, Any]] = {"manage_schema": False}
    corpora = released(Path(__file__).parent / "corpora")

    driver = "asyncpg"
    engine_arguments: ClassVar[dict[str, Any]] = {}
    """What the caller of `over_given` tells the driver."""

    def open(self, dsn: str, namespace: str, **options: Any) -> PostgresAdapter:
        return PostgresAdapter.from_url(self._url(dsn), prefix=namespace, **options)

    def _url(self, dsn: str) -> str:
        return dsn.replace("postgresql://", f"postgresql+{self.driver}://")

    async def make_newer(self, dsn: str, namespace: str) -> None:
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            versions = Identifier(f"{namespace}schema_version")
            await connection.execute(SQL("INSERT INTO {} (version) VALUES (999)").format(versions))

    @asynccontextmanager
    async def over_given(self, dsn: str, namespace: str) -> AsyncGenerator[Given]:
        engine = create_async_engine(self._url(dsn), connect_args=self.engine_arguments)
        pool = engine.pool

        async def usable() -> bool:
            async with engine.connect() as connection:
                answer = await connection.exec_driver_sql("SELECT 1")
            return engine.pool is pool and answer.scalar_one() == 1

        try:
            yield Given(PostgresAdapter(engine, prefix=namespace), usable)
        finally:
            await engine.dispose()

    async def save_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await save(dsn, namespace, file)

    async def load_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await load(dsn, namespace, file)

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        async for row in stored_rows(dsn):
            yield row

    async def drop(self, dsn: str, namespace: str) -> None:
        await drop_tables(dsn, namespace)


class TestPsycopg(TestPostgres):
    """The other driver."""

    driver = "psycopg"


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
    engine_arguments: ClassVar[dict[str, Any]] = {
        "statement_cache_size": 0,
        "prepared_statement_name_func": lambda: "",
    }
    """SQLAlchemy's documentation asks for these."""


class TestPostgresRows(TestPostgres):
    """A role that may read and write rows and nothing else; the owner ran what `agentkeep migrate --sql` prints."""

    unmanaged: ClassVar[dict[str, Any]] = {}
    corpora = ()
    """Here all is unmanaged, and laid before anything is loaded."""

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
        return super().open(_as_role(dsn, namespace), namespace, manage_schema=False, **options)

    @asynccontextmanager
    async def over_given(self, dsn: str, namespace: str) -> AsyncGenerator[Given]:
        async with super().over_given(_as_role(dsn, namespace), namespace) as given:
            yield given

    async def drop(self, dsn: str, namespace: str) -> None:
        await super().drop(dsn, namespace)
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await connection.execute(SQL("DROP ROLE IF EXISTS {}").format(Identifier(namespace)))


def _as_role(dsn: str, role: str) -> str:
    address = urlsplit(dsn)
    return address._replace(netloc=f"{role}:{role}@{address.hostname}:{address.port}").geturl()


class TestPostgresWords(Enrolment, Searching):
    """Search where pg_trgm can't be had: a database of its own, and a role that may not create extensions there."""

    server = POSTGRES

    def prepare(self, dsn: str, namespace: str) -> None:
        role = Identifier(namespace)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {} TEMPLATE template0").format(role))
            connection.execute(SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, Literal(namespace)))
        with psycopg.connect(_in_database(dsn, namespace), autocommit=True) as connection:
            connection.execute(SQL("GRANT USAGE, CREATE ON SCHEMA public TO {}").format(role))

    def open(self, dsn: str, namespace: str, **options: Any) -> PostgresAdapter:
        return PostgresAdapter.from_url(_as_role(_in_database(dsn, namespace), namespace), prefix=namespace, **options)

    async def drop(self, dsn: str, namespace: str) -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(namespace)))
            await connection.execute(SQL("DROP ROLE {}").format(Identifier(namespace)))

    @proves("SRCH-1")
    async def test_there_is_no_index_of_trigrams(self, keep: Keep) -> None:
        assert any("pg_trgm" in warning for warning in (await keep.health()).warnings)


def _in_database(dsn: str, name: str) -> str:
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()


class TestPostgresOldest(TestPostgres):
    server = POSTGRES_OLDEST


class TestPostgresNewest(TestPostgres):
    server = POSTGRES_NEWEST
