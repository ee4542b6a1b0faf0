"""The schema: made, migrated, owned by somebody else, named, partitioned."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from agentkeep import Keep, NewMessage
from agentkeep.cli.app import app
from agentkeep.errors import ConfigurationError, SchemaMissing, SchemaTooNew
from agentkeep_postgres import PostgresAdapter
from agentkeep_postgres.statements import Names, load_migrations, load_statements
from typer.testing import CliRunner

from .lives import write_and_read

if TYPE_CHECKING:
    from .conftest import Database

pytestmark = pytest.mark.anyio

_CATALOG = """
SELECT 'column', table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns
WHERE starts_with(table_name, '{p}')
UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE starts_with(tablename, '{p}')
UNION ALL SELECT 'function', proname, pg_get_functiondef(oid), '', '', '' FROM pg_proc WHERE starts_with(proname, '{p}')
ORDER BY 1, 2, 3
"""

_WHOLE = (
    *("create", "get", "get_many", "resume", "update", "touch", "fork", "restore", "delete"),
    *("append", "list_forward", "list_backward", "get_messages", "replace", "cut", "pop", "request_notifications"),
    *("lock", "add_version", "version", "server"),
)
"""The statements that stand alone; the others are parts of listings and searches, whose plans are read elsewhere."""


async def test_a_migrated_schema_is_a_fresh_one(database: Database) -> None:
    """LIFE-1: step by step, or all at once by the script for those who own the schema."""
    async with database.keep():
        fresh = await database.run(_CATALOG)
    await database.drop()
    names = Names(None, database.prefix)
    await database.run(load_statements(names)["create_versions"].text)
    for number, step in enumerate(load_migrations(names), 1):
        await database.run(step)
        await database.run("INSERT INTO {p}schema_version (version, oldest) VALUES (%s, 1)", number)
    assert await database.run(_CATALOG) == fresh
    await database.drop()
    await database.run(database.adapter().migrations_sql())
    assert await database.run(_CATALOG) == fresh
    async with database.keep(manage_schema=False) as keep:
        await write_and_read(keep)


async def test_the_command_migrates_or_prints_what_its_owner_runs(database: Database) -> None:
    """LIFE-1."""

    def command(*arguments: str) -> str:
        url = f"{database.dsn}?prefix={database.prefix}"
        ran = CliRunner().invoke(app, ["--url", url, "migrate", *arguments])
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    async def asked(*arguments: str) -> str:
        return await asyncio.to_thread(command, *arguments)

    assert await asked() == "a schema of version 1 was made\n"
    made = await database.run(_CATALOG)
    assert await asked() == "the schema is up to date: version 1\n"
    await database.drop()
    await database.run(await asked("--sql"))
    assert await database.run(_CATALOG) == made
    assert await asked("--sql", "--after", "1") == ""


async def test_a_schema_of_another_version_is_said_so(database: Database) -> None:
    """LIFE-1."""
    with pytest.raises(SchemaMissing, match="migrate"):
        await database.keep(manage_schema=False).open()
    async with database.keep():
        await database.run("INSERT INTO {p}schema_version (version, oldest) VALUES (999, 999)")
    with pytest.raises(SchemaTooNew):
        await database.keep().open()


async def test_openers_who_come_second_find_the_schema_made(database: Database) -> None:
    """LIFE-1: all ask at once, one makes it, the others wait for the lock and have nothing to do."""
    async with asyncio.TaskGroup() as group:
        for keep in [database.keep() for _ in range(10)]:
            group.create_task(_open_and_close(keep))
    assert await database.run("SELECT version FROM {p}schema_version ORDER BY 1") == [(1,)]


async def _open_and_close(keep: Keep) -> None:
    async with keep:
        await keep.sessions.count()


_NEXT = """
ALTER TABLE {prefix}sessions ADD COLUMN pinned boolean;
ALTER TABLE {prefix}messages ADD COLUMN tokens bigint;
CREATE OR REPLACE FUNCTION {prefix}newest_time(p_tenant text, p_session text) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
SELECT max(created_at) FROM {prefix}messages WHERE tenant = p_tenant AND session_id = p_session;
$$;
"""


async def test_a_migration_leaves_the_release_before_it_at_work(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIFE-1, LIFE-4: columns and functions come while its calls run, and it may be started again."""
    this = load_migrations(Names(None, database.prefix))

    def next_release(names: Names) -> tuple[str, ...]:
        return (*this, _NEXT.replace("{prefix}", names.qualified))

    stop = asyncio.Event()
    async with database.keep() as keep:
        lives = [asyncio.create_task(_live_until(keep, stop)) for _ in range(4)]
        with monkeypatch.context() as patch:
            patch.setattr("agentkeep_postgres.schema.load_migrations", next_release)
            newer = database.adapter()
            async with Keep(newer) as next_keep:
                assert newer.migrated_from == len(this)
                await write_and_read(next_keep)
                await write_and_read(keep)
        stop.set()
        assert all(count > 0 for count in await asyncio.gather(*lives))
        async with database.keep() as again:
            await write_and_read(again)
        await database.run("UPDATE {p}schema_version SET oldest = version")
        with pytest.raises(SchemaTooNew):
            await database.keep().open()
        await write_and_read(keep)


async def _live_until(keep: Keep, stop: asyncio.Event) -> int:
    lives = 0
    while not stop.is_set() or lives == 0:
        session = await keep.sessions.create()
        await keep.messages.append(session.id, [NewMessage(role="user")] * 2, update={"title": "t"})
        assert await keep.messages.pop(session.id)
        assert (await keep.sessions.fork(session.id)).message_count == 1
        assert await keep.sessions.delete(session.id)
        lives += 1
    return lives


async def test_a_schema_is_made_where_it_is_named(database: Database) -> None:
    schema = database.prefix.rstrip("_")
    async with database.keep(schema=schema) as keep:
        await write_and_read(keep)
    found = await database.run("SELECT count(*) FROM pg_tables WHERE schemaname = %s", schema)
    await database.run(f"DROP SCHEMA {schema} CASCADE")
    assert found == [(4,)]


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
        for table in ("sessions", "labels", "messages", "schema_version"):
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


_PARTITION_KEYS = {"sessions": "tenant, id", "labels": "tenant, session_id", "messages": "tenant, session_id"}


async def test_the_tables_can_be_partitioned_by_their_keys(database: Database) -> None:
    """Every key begins with tenant and session, so the server accepts them as partition keys."""
    script = database.adapter().migrations_sql()
    for table, keys in _PARTITION_KEYS.items():
        script, found = re.subn(rf"\) WITH \(.*\); -- {table}\n", f") PARTITION BY HASH ({keys});\n", script)
        assert found == 1
    await database.run(script)
    for table in _PARTITION_KEYS:
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


async def test_a_role_that_owns_its_schema_needs_no_right_on_the_database(database: Database) -> None:
    """LIFE-1: opening, and the printed script, if the role may not create schemas."""
    role = schema = database.prefix.rstrip("_")
    await database.run(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
    await database.run(f"CREATE SCHEMA {schema} AUTHORIZATION {role}")
    address = urlsplit(database.dsn)
    dsn = address._replace(netloc=f"{role}:secret@{address.hostname}:{address.port}").geturl()
    adapter = PostgresAdapter.from_url(dsn, schema=schema)
    try:
        async with Keep(adapter) as keep:
            await write_and_read(keep)
        await database.run(f"DROP SCHEMA {schema} CASCADE; CREATE SCHEMA {schema} AUTHORIZATION {role}")
        await database.run(f"SET ROLE {role}; {adapter.migrations_sql()}")
        async with Keep(adapter) as keep:
            await write_and_read(keep)
    finally:
        await database.run(f"DROP OWNED BY {role} CASCADE")
        await database.run(f"DROP ROLE {role}")
