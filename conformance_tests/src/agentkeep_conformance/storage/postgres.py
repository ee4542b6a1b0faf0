"""What PostgreSQL stores, and roles and databases of a test's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import psycopg
from agentkeep import PersistenceAdapter
from psycopg.sql import SQL, Identifier, Literal

from agentkeep_conformance.enrolment import Enrolment
from agentkeep_conformance.storage.names import CORPUS_NAMESPACE
from agentkeep_conformance.storage.postgres_kept import run_kept
from agentkeep_conformance.storage.postgres_steps import rows_written

_DROP = """
DO $$
DECLARE
    prefix text := {};
    found text;
BEGIN
    FOR found IN SELECT tablename FROM pg_tables WHERE starts_with(tablename, prefix) LOOP
        EXECUTE format('DROP TABLE IF EXISTS %I CASCADE', found);
    END LOOP;
    FOR found IN SELECT oid::regprocedure::text FROM pg_proc WHERE starts_with(proname, prefix) LOOP
        EXECUTE 'DROP ROUTINE IF EXISTS ' || found;
    END LOOP;
END
$$
"""

_ROWS_READ = """
SELECT
    (SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_all_tables
     WHERE starts_with(relname, {}))
    + (SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_all_indexes WHERE starts_with(relname, {}))
"""


_SOON = "SET LOCAL lock_timeout = 2000"
_TABLES = "SELECT tablename FROM pg_tables WHERE starts_with(tablename, %s) AND tablename <> %s"
_MOST_ROWS = 1_000


class PostgresStorage(Enrolment):
    """For an enrolment: reads, removes, saves and loads the tables whose names begin with the namespace."""

    server_tells_after = 1.1  # a backend sends its counters at the end of a transaction, once a second at most
    tables: ClassVar[Sequence[str]] = ()
    """What a corpus holds, without the prefix; a table after those that it refers to."""
    drivers: ClassVar[Sequence[type]] = ()
    """The adapter's classes that send statements: see `rows_written`."""

    def schema(self, dsn: str, namespace: str) -> str:
        """The SQL that makes the namespace's schema."""
        raise NotImplementedError

    def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        return stored_rows(dsn)

    async def records(self, dsn: str, namespace: str) -> int:
        return await asyncio.to_thread(run_kept, dsn, partial(_count, namespace))

    async def drop(self, dsn: str, namespace: str) -> None:
        await drop_prefix(dsn, namespace)

    async def empty(self, dsn: str, namespace: str) -> bool:
        return await empty_prefix(dsn, namespace)

    async def store_schema_version(self, dsn: str, namespace: str, version: int, oldest: int) -> None:
        """As a migration does, which leaves the rows of earlier versions."""
        table = f"{namespace}schema_version"
        later = f"DELETE FROM {table} WHERE version >= {version}"  # noqa: S608 - ours
        execute(dsn, later, f"INSERT INTO {table} VALUES ({version}, {oldest})")  # noqa: S608 - ours

    async def server_work(self, dsn: str, namespace: str) -> int:
        return await rows_read(dsn, namespace)

    async def longest_step(self, adapter: PersistenceAdapter, call: Callable[[], Awaitable[Any]]) -> int:
        """The rows that one transaction writes, and so keeps locked until its commit. Reads lock nothing."""
        with rows_written(self.drivers) as steps:
            await call()
        return max(steps)

    async def save_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await save_tables(dsn, namespace, file, schema=self.schema(dsn, namespace), tables=self.tables)

    async def load_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await load_tables(dsn, namespace, file, tables=self.tables)


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


async def rows_read(dsn: str, prefix: str) -> int:
    """Table rows and index entries that were read of the tables whose names begin with the prefix."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        found = await (await connection.execute(SQL(_ROWS_READ).format(Literal(prefix), Literal(prefix)))).fetchone()
    return int(found[0]) if found else 0


async def drop_prefix(dsn: str, prefix: str) -> None:
    """Remove every table and function whose name begins with the prefix."""
    await asyncio.to_thread(run_kept, dsn, partial(_drop, prefix))


async def empty_prefix(dsn: str, prefix: str) -> bool:
    """Remove every row of the tables whose names begin with the prefix, the schema's version excepted.

    False if that is not worth it: many removed rows slow down what follows.
    """
    try:
        return await asyncio.to_thread(run_kept, dsn, partial(_empty, prefix)) <= _MOST_ROWS
    except psycopg.errors.LockNotAvailable:  # a call that its test gave up still runs
        return False


def _drop(prefix: str, connection: psycopg.Connection) -> None:
    connection.execute(SQL(_DROP).format(Literal(prefix)))


def _empty(prefix: str, connection: psycopg.Connection) -> int:
    """How many rows were removed."""
    found = connection.execute(_TABLES, [prefix, f"{prefix}schema_version"])
    tables = [SQL("DELETE FROM {}").format(Identifier(table)) for (table,) in found.fetchall()]
    removed = connection.execute(SQL("; ").join([SQL(_SOON), *tables]))
    rows = 0
    while removed.nextset():
        rows += removed.rowcount
    return rows


def _count(prefix: str, connection: psycopg.Connection) -> int:
    """How many rows there are, the schema's version excepted."""
    tables = connection.execute(_TABLES, [prefix, f"{prefix}schema_version"]).fetchall()
    counts = SQL(" UNION ALL ").join(SQL("SELECT count(*) FROM {}").format(Identifier(name)) for (name,) in tables)
    return sum(count for (count,) in connection.execute(counts).fetchall()) if tables else 0


async def save_tables(dsn: str, namespace: str, file: Path, *, schema: str, tables: Sequence[str]) -> None:
    """Write a corpus: the schema's SQL, then the rows of each table as JSON. `tables`: without the prefix."""
    parts = [schema]
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        for table in tables:
            rows = SQL("SELECT coalesce(json_agg(t), '[]')::text FROM {} AS t").format(Identifier(namespace + table))
            found = await (await connection.execute(rows)).fetchone()
            parts += found or ()
    await asyncio.to_thread(file.write_text, json.dumps(parts, indent=1).replace(namespace, CORPUS_NAMESPACE) + "\n")


async def load_tables(dsn: str, namespace: str, file: Path, *, tables: Sequence[str]) -> None:
    """Put a corpus into a database without it."""
    text = await asyncio.to_thread(file.read_text)
    schema, *rows = json.loads(text.replace(CORPUS_NAMESPACE, namespace))
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(schema.encode())
        for table, found in zip(tables, rows, strict=True):
            insert = SQL("INSERT INTO {0} SELECT * FROM json_populate_recordset(NULL::{0}, %s)")
            await connection.execute(insert.format(Identifier(namespace + table)), [found])


def in_database(dsn: str, name: str) -> str:
    """The URL of another database of the same server."""
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()


def as_role(dsn: str, role: str) -> str:
    """The URL with the credentials of a role that `create_role` made."""
    address = urlsplit(dsn)
    return address._replace(netloc=f"{role}:{role}@{address.hostname}:{address.port}").geturl()


def execute(dsn: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def create_role(dsn: str, role: str, rights: Sequence[str] = ()) -> None:
    """A role that may log in and has these rights, such as "SELECT ON t"; its password is its name."""
    name = SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(Identifier(role), Literal(role))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(name)
        for right in rights:
            connection.execute(f"GRANT {right} TO {role}".encode())


async def drop_role(dsn: str, role: str) -> None:
    """Remove a role that owns nothing."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(SQL("DROP ROLE IF EXISTS {}").format(Identifier(role)))


def create_plain_database(dsn: str, name: str) -> None:
    """A database without extensions, and a role of the same name that may create tables in it but no extension."""
    execute(dsn, f"CREATE DATABASE {name} TEMPLATE template0")
    create_role(dsn, name)
    execute(in_database(dsn, name), f"GRANT USAGE, CREATE ON SCHEMA public TO {name}")


async def drop_database(dsn: str, name: str) -> None:
    """Remove what `create_plain_database` made."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
        await connection.execute(SQL("DROP ROLE {}").format(Identifier(name)))
