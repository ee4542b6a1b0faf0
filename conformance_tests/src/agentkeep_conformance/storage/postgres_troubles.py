"""What can go wrong at a PostgreSQL server: a right taken away, read-only, full, locked, strictly isolated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import psycopg
from agentkeep import PersistenceAdapter
from agentkeep.capabilities import Durability

from agentkeep_conformance.enrolment import Enrolment, Trouble
from agentkeep_conformance.samples import until
from agentkeep_conformance.servers.chosen import check_ours
from agentkeep_conformance.storage.postgres import as_role, create_role, execute

_TABLES = "SELECT tablename FROM pg_tables WHERE starts_with(tablename, %s) ORDER BY tablename"
_WRITES = "INSERT, UPDATE, DELETE"

_BY_SYNCHRONOUS_COMMIT: dict[str, Durability] = {"off": "interval", "local": "fsync", "on": "fsync"}
_DISK_FULL, _SERIALIZATION_FAILURE = "53100", "40001"

_FAIL = """
CREATE FUNCTION {prefix}fails() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('{prefix}failures') <= {most} THEN
        RAISE EXCEPTION 'planted by the suite' USING ERRCODE = '{state}';
    END IF;
    RETURN NEW;
END
$$
"""
"""A sequence counts on if the transaction is rolled back."""


_WAIT = """
CREATE FUNCTION {prefix}waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('{prefix}'));
    RETURN NULL;
END
$$
"""
_WAIT_AT_COMMIT = """
CREATE CONSTRAINT TRIGGER {prefix}waits AFTER INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION {prefix}waits()
"""


class PostgresTroubles(Enrolment):
    """For an enrolment on one PostgreSQL server whose URL is that of a superuser."""

    @asynccontextmanager
    async def refuse_writes(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        async with _role(dsn, namespace) as role:
            yield Trouble(as_role(dsn, role), partial(_revoked, dsn, namespace, role))

    @asynccontextmanager
    async def make_read_only(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        async with _role(dsn, namespace) as role:
            yield Trouble(as_role(dsn, role), partial(_read_only, dsn, role))

    @asynccontextmanager
    async def fill(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        yield Trouble(dsn, partial(_failing, dsn, namespace, _DISK_FULL, most=2**31))

    @asynccontextmanager
    async def hold_writes(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        yield Trouble(dsn, partial(_locked, dsn, namespace))

    @asynccontextmanager
    async def hold_commits(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        yield Trouble(dsn, partial(_uncommitted, dsn, namespace))

    @asynccontextmanager
    async def roll_back_once(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        yield Trouble(dsn, partial(_failing, dsn, namespace, _SERIALIZATION_FAILURE, most=1))

    @asynccontextmanager
    async def serializable(self, dsn: str, namespace: str) -> AsyncGenerator[str]:
        async with _role(dsn, namespace) as role:
            await _run(dsn, f"ALTER ROLE {role} SET default_transaction_isolation = serializable")
            yield as_role(dsn, role)

    async def durabilities(self, dsn: str, namespace: str) -> AsyncGenerator[tuple[Durability, PersistenceAdapter]]:
        """`fsync` and `full_page_writes` are settings of the whole server, `synchronous_commit` is the role's."""
        check_ours(self.server)
        async with _role(dsn, namespace) as role:
            for setting, grade in _BY_SYNCHRONOUS_COMMIT.items():
                await _run(dsn, f"ALTER ROLE {role} SET synchronous_commit = {setting}")
                yield grade, self.open(as_role(dsn, role), namespace)
        for setting in ("fsync", "full_page_writes"):
            async with _server_setting(dsn, setting, "off"):
                yield "os", self.open(dsn, namespace)


async def _run(dsn: str, *statements: str) -> None:
    await asyncio.to_thread(execute, dsn, *statements)


def _value(dsn: str, setting: str) -> str:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(f"SHOW {setting}".encode()).fetchone()
    return "" if row is None else str(row[0])


@asynccontextmanager
async def _server_setting(dsn: str, setting: str, value: str) -> AsyncGenerator[None]:
    """Returns when new connections have the setting, which the server reads again in its own time."""

    async def settled(wanted: str) -> None:
        async def is_so() -> bool:
            return await asyncio.to_thread(_value, dsn, setting) == wanted

        await _run(dsn, "SELECT pg_reload_conf()")
        await until(is_so, f"{setting} is {wanted}")

    before = await asyncio.to_thread(_value, dsn, setting)
    await _run(dsn, f"ALTER SYSTEM SET {setting} = {value}")
    try:
        await settled(value)
        yield
    finally:
        await _run(dsn, f"ALTER SYSTEM RESET {setting}")
        await settled(before)


def _tables(dsn: str, namespace: str) -> Sequence[str]:
    with psycopg.connect(dsn) as connection:
        return [name for (name,) in connection.execute(_TABLES, [namespace])]


async def _all_tables(dsn: str, namespace: str) -> str:
    return ", ".join(await asyncio.to_thread(_tables, dsn, namespace))


@asynccontextmanager
async def _role(dsn: str, namespace: str) -> AsyncGenerator[str]:
    """A role that may read and write the rows of the namespace."""
    role = f"{namespace}_role"
    tables = await _all_tables(dsn, namespace)
    await asyncio.to_thread(create_role, dsn, role, [f"SELECT, {_WRITES} ON {tables}"])
    try:
        yield role
    finally:
        await _run(dsn, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@asynccontextmanager
async def _revoked(dsn: str, namespace: str, role: str) -> AsyncGenerator[None]:
    tables = await _all_tables(dsn, namespace)
    await _run(dsn, f"REVOKE {_WRITES} ON {tables} FROM {role}")
    try:
        yield
    finally:
        await _run(dsn, f"GRANT {_WRITES} ON {tables} TO {role}")


@asynccontextmanager
async def _read_only(dsn: str, role: str) -> AsyncGenerator[None]:
    """The setting holds for new connections, so the old ones end, as they do when a server hands over."""
    end = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{role}'"  # noqa: S608 - ours
    await _run(dsn, f"ALTER ROLE {role} SET default_transaction_read_only = on", end)
    try:
        yield
    finally:
        await _run(dsn, f"ALTER ROLE {role} RESET default_transaction_read_only", end)


@asynccontextmanager
async def _failing(dsn: str, namespace: str, state: str, *, most: int) -> AsyncGenerator[None]:
    """A trigger raises what the server raises then. No disk is filled, no transactions collide."""
    tables = await asyncio.to_thread(_tables, dsn, namespace)
    function = _FAIL.format(prefix=namespace, state=state, most=most)
    triggers = [
        f"CREATE TRIGGER aa_fails BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {namespace}fails()"
        for table in tables
    ]
    await _run(dsn, f"CREATE SEQUENCE {namespace}failures", function, *triggers)
    try:
        yield
    finally:
        await _run(dsn, f"DROP FUNCTION {namespace}fails CASCADE", f"DROP SEQUENCE {namespace}failures")


@asynccontextmanager
async def _locked(dsn: str, namespace: str) -> AsyncGenerator[None]:
    tables = await _all_tables(dsn, namespace)
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.execute(f"LOCK TABLE {tables} IN EXCLUSIVE MODE".encode())
        yield
        await connection.rollback()


@asynccontextmanager
async def _uncommitted(dsn: str, namespace: str) -> AsyncGenerator[None]:
    """A deferred trigger runs when the transaction has done everything else."""
    tables = await asyncio.to_thread(_tables, dsn, namespace)
    triggers = [_WAIT_AT_COMMIT.format(prefix=namespace, table=table) for table in tables]
    await _run(dsn, _WAIT.format(prefix=namespace), *triggers)
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [namespace])
        yield
        await connection.rollback()
    await _run(dsn, f"DROP FUNCTION {namespace}waits CASCADE")
