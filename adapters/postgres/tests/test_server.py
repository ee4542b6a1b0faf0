"""What is PostgreSQL's own: rights, time zones, lost connections, poolers, partitions, callers' engines, crashes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from agentkeep import Keep, NewMessage
from agentkeep.errors import ConfigurationError, OutcomeUnknown, SchemaMissing, SchemaTooNew, Unavailable
from agentkeep_conformance.servers import POSTGRES
from agentkeep_postgres import PostgresAdapter
from agentkeep_postgres.statements import Names, load_migrations, load_statements
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

if TYPE_CHECKING:
    from conftest import Database

pytestmark = pytest.mark.anyio

_CATALOG = """
SELECT 'column', table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns
WHERE starts_with(table_name, '{p}')
UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE starts_with(tablename, '{p}')
UNION ALL SELECT 'function', proname, pg_get_functiondef(oid), '', '', '' FROM pg_proc WHERE starts_with(proname, '{p}')
ORDER BY 1, 2, 3
"""

_WHOLE = (
    *("create", "get", "update", "touch", "fork", "restore", "append", "list_forward", "list_backward", "get_message"),
    *("replace", "cut", "pop", "watch", "lock", "add_version", "version", "server"),
)
"""The statements that stand alone; the others are parts of listings and searches, whose plans are read elsewhere."""


async def write_and_read(keep: Keep) -> None:
    """A session's life in a few calls."""
    session = await keep.sessions.create(user_id="u", metadata={"k": "v"}, title="a\0b\\0c")
    await keep.messages.append(
        session.id, [NewMessage(role="user", content="Grüße 你好", id="m1")], update={"state": {}}
    )
    await keep.messages.append(session.id, [NewMessage(role="user", content="Grüße 你好", id="m1")])
    assert [message.seq for message in await keep.messages.tail(session.id, 5)] == [1]
    assert (await keep.sessions.list(user_id="u", metadata={"k": "v"})).items[0].title == "a\0b\\0c"
    assert len(await keep.messages.search("你好")) == 1
    assert await keep.messages.trim(session.id, keep_last=0) == 1
    assert await keep.sessions.delete(session.id)


async def test_a_migrated_schema_is_a_fresh_one(database: Database) -> None:
    """LIFE-1: step by step, or all at once by the script for those who own the schema."""
    async with database.keep():
        fresh = await database.run(_CATALOG)
    await database.drop()
    names = Names(None, database.prefix)
    await database.run(load_statements(names)["create_versions"].text)
    for number, step in enumerate(load_migrations(names), 1):
        await database.run(step)
        await database.run("INSERT INTO {p}schema_version (version) VALUES (%s)", number)
    assert await database.run(_CATALOG) == fresh
    await database.drop()
    await database.run(PostgresAdapter.migrations_sql(prefix=database.prefix))
    assert await database.run(_CATALOG) == fresh
    async with database.keep(manage_schema=False) as keep:
        await write_and_read(keep)


async def test_a_schema_of_another_version_is_said_so(database: Database) -> None:
    """LIFE-1."""
    with pytest.raises(SchemaMissing, match="migrate"):
        await database.keep(manage_schema=False).open()
    async with database.keep():
        await database.run("INSERT INTO {p}schema_version (version) VALUES (999)")
    with pytest.raises(SchemaTooNew):
        await database.keep().open()


async def test_openers_who_come_second_find_the_schema_made(database: Database) -> None:
    """LIFE-1: all ask at once, one makes it, the others wait for the lock and have nothing to do."""
    async with asyncio.TaskGroup() as group:
        for keep in [database.keep() for _ in range(10)]:
            group.create_task(_open_and_close(keep))
    assert await database.run("SELECT version FROM {p}schema_version ORDER BY 1") == [(1,), (2,), (3,), (4,)]


async def _open_and_close(keep: Keep) -> None:
    async with keep:
        await keep.sessions.count()


async def test_a_schema_is_made_where_it_is_named(database: Database) -> None:
    schema = database.prefix.rstrip("_")
    async with database.keep(schema=schema) as keep:
        await write_and_read(keep)
    found = await database.run("SELECT count(*) FROM pg_tables WHERE schemaname = %s", schema)
    await database.run(f"DROP SCHEMA {schema} CASCADE")
    assert found == [(3,)]


async def test_every_statement_can_be_prepared(database: Database) -> None:
    """A statement that the server does not understand is found here, not by a user."""
    async with database.keep():
        statements = load_statements(Names(None, database.prefix))
        for name in _WHOLE:
            await database.run(f"PREPARE asked AS {statements[name].text}")


async def test_reading_and_writing_rows_is_right_enough(database: Database) -> None:
    """LIFE-1: `manage_schema=False` under a role that owns nothing and may create nothing."""
    role = f"{database.prefix}role"
    async with database.keep():
        await database.run(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        for table in ("sessions", "messages", "schema_version"):
            await database.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {{p}}{table} TO {role}")
        address = urlsplit(database.dsn)
        dsn = address._replace(netloc=f"{role}:secret@{address.hostname}:{address.port}").geturl()
        try:
            async with Keep(PostgresAdapter.from_url(dsn, prefix=database.prefix, manage_schema=False)) as keep:
                await write_and_read(keep)
            with pytest.raises(ConfigurationError) as refused:
                await Keep(PostgresAdapter.from_url(dsn, prefix=f"{database.prefix}x_")).open()
            assert "secret" not in f"{refused.value!r} {refused.value.__cause__!r}"
        finally:
            await database.run(f"DROP OWNED BY {role}")
            await database.run(f"DROP ROLE {role}")


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_time_zones_do_not_matter(database: Database, driver: str) -> None:
    """FID-3, TTL-1: a server and a session in zones of their own, an hour of change included."""
    dsn = database.dsn.replace("postgresql://", f"postgresql+{driver}://")
    engine = create_async_engine(dsn)
    async with database.keep() as keep, Keep(PostgresAdapter(engine, prefix=database.prefix)) as there:
        async with engine.connect() as connection:
            await connection.execute(text("SET TIME ZONE 'America/New_York'"))
            await connection.commit()
        session = await keep.sessions.create()
        (message,) = await there.messages.append(session.id, [NewMessage(role="user")])
        assert (
            message
            == await keep.messages.get(session.id, message.id)
            == await there.messages.get(session.id, message.id)
        )
        assert str(message.created_at.tzinfo) == "UTC"
        assert await there.sessions.get(session.id) == await keep.sessions.get(session.id)
    await engine.dispose()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.parametrize("call", ["read", "write"])
async def test_a_terminated_idle_connection_costs_no_error(database: Database, call: str, driver: str) -> None:
    """FLT-2."""
    dsn = database.dsn.replace("postgresql://", f"postgresql+{driver}://")
    adapter = PostgresAdapter.from_url(dsn, prefix=database.prefix, application_name=database.prefix)
    async with Keep(adapter) as keep:
        session = await keep.sessions.create()
        for number in range(3):
            gone = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
            assert await database.run(gone, database.prefix) == [(True,)]
            if call == "read":
                await keep.sessions.get(session.id)
            else:
                await keep.sessions.update(session.id, title=f"{number}")
        assert (await keep.sessions.get(session.id)).version == (1 if call == "read" else 4)


async def test_no_connection_waits_in_a_transaction(database: Database) -> None:
    """FLT-4."""
    async with database.keep(application_name=database.prefix) as keep:
        await write_and_read(keep)
        states = await database.run("SELECT state FROM pg_stat_activity WHERE application_name = %s", database.prefix)
        assert states == [("idle",)]


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_the_callers_engine_stays_open(database: Database, driver: str) -> None:
    """LIFE-2."""
    engine = create_async_engine(database.dsn.replace("postgresql://", f"postgresql+{driver}://"), pool_size=2)
    keep = Keep(PostgresAdapter(engine, prefix=database.prefix))
    async with keep:
        await write_and_read(keep)
    assert engine.pool.checkedin() == 1  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar() == 1
    await engine.dispose()


async def test_the_url_may_ask_for_psycopg(database: Database) -> None:
    dsn = database.dsn.replace("postgresql://", "postgresql+psycopg://")
    async with Keep(PostgresAdapter.from_url(dsn, prefix=database.prefix)) as keep:
        await write_and_read(keep)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_pooler_in_transaction_mode_is_found_and_borne(database: Database, bouncer: str, driver: str) -> None:
    """Several clients share server connections and prepare the same statements."""
    front = bouncer.replace("postgresql://", f"postgresql+{driver}://")
    async with database.keep(), asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(_use_pooler(front, database.prefix))


async def _use_pooler(dsn: str, prefix: str) -> None:
    async with Keep(PostgresAdapter.from_url(dsn, prefix=prefix)) as keep:
        assert any("pooler" in warning for warning in (await keep.health()).warnings)
        session = await keep.sessions.create()
        appends = [keep.messages.append(session.id, [NewMessage(role="user", content=f"{n}")]) for n in range(30)]
        await asyncio.gather(*appends)
        assert [message.seq for message in await keep.messages.tail(session.id, 100)] == list(range(1, 31))


async def test_the_tables_can_be_partitioned_by_their_keys(database: Database) -> None:
    """Every key begins with tenant and session, so the server accepts them as partition keys."""
    script = PostgresAdapter.migrations_sql(prefix=database.prefix)
    for before, after in (
        (") WITH (fillfactor = 80)", ") PARTITION BY HASH (tenant, id)"),
        (
            "    PRIMARY KEY (tenant, session_id, seq)\n)",
            "    PRIMARY KEY (tenant, session_id, seq)\n) PARTITION BY HASH (tenant, session_id)",
        ),
    ):
        assert before in script
        script = script.replace(before, after)
    await database.run(script)
    for table in ("sessions", "messages"):
        for part in range(4):
            kind = f"PARTITION OF {{p}}{table} FOR VALUES WITH (MODULUS 4, REMAINDER {part})"
            await database.run(f"CREATE TABLE {{p}}{table}_{part} {kind}")
    async with database.keep(manage_schema=False) as keep:
        for _ in range(8):
            await write_and_read(keep)
        session = await keep.sessions.create()
        await keep.messages.append(session.id, [NewMessage(role="user")] * 3)
        fork = await keep.sessions.fork(session.id)
        assert await keep.messages.count(fork.id) == 3


async def test_a_killed_server_loses_nothing_acknowledged(database: Database) -> None:
    """FLT-1, FLT-2: SIGKILL under load, restart, and no restart of ours."""
    acknowledged: dict[str, int] = {}

    async with database.keep(connect_timeout=2, command_timeout=10) as keep:
        sessions = [(await keep.sessions.create()).id for _ in range(4)]
        stop = asyncio.Event()
        writers = [asyncio.create_task(_write_until(keep, session_id, acknowledged, stop)) for session_id in sessions]
        while len(acknowledged) < 200:  # noqa: ASYNC110 - until there is load
            await asyncio.sleep(0.01)
        await asyncio.to_thread(POSTGRES.kill)
        await asyncio.to_thread(POSTGRES.restart)
        before = len(acknowledged)
        while len(acknowledged) < before + 50:  # noqa: ASYNC110 - until they write again
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*writers)
        for session_id in sessions:
            log = [message async for message in keep.messages.iterate(session_id)]
            assert [message.seq for message in log] == list(range(1, len(log) + 1))
            stored = {message.id: message.seq for message in log}
            mine = {id: seq for id, seq in acknowledged.items() if id.startswith(session_id)}
            assert mine.items() <= stored.items()
            assert (await keep.sessions.get(session_id)).message_count == len(log)


async def _write_until(keep: Keep, session_id: str, acknowledged: dict[str, int], stop: asyncio.Event) -> None:
    """One message after another, each repeated under its id until it is acknowledged."""
    number = 0
    while not stop.is_set():
        id = f"{session_id}.{number}"
        try:
            (message,) = await keep.messages.append(session_id, [NewMessage(role="user", id=id)])
        except (Unavailable, OutcomeUnknown):
            await asyncio.sleep(0.05)
            continue
        acknowledged[id] = message.seq
        number += 1
