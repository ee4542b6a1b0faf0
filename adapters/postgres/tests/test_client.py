"""How calls reach the server: deadlines, cancellation, drivers, error messages."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from agentkeep import Keep, NewMessage, PersistenceError
from agentkeep.errors import AdapterNotInstalled, OutcomeUnknown, Unavailable
from agentkeep_conformance.proxy import Fault, Proxy
from agentkeep_conformance.servers.chosen import address_of
from agentkeep_conformance.storage.engines import over_engine
from agentkeep_postgres import PostgresAdapter, errors, urls
from agentkeep_postgres.drivers import Row
from agentkeep_postgres.statements import Statement
from sqlalchemy.ext.asyncio import create_async_engine

if TYPE_CHECKING:
    from .conftest import Database

pytestmark = pytest.mark.anyio

_SCANS = Statement("SELECT current_setting('enable_seqscan'), pg_backend_pid() FROM pg_sleep(0.1)", ())
DRIVERS = pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])


def url_for(dsn: str, driver: str) -> str:
    return dsn.replace("postgresql://", f"postgresql+{driver}://")


@DRIVERS
async def test_calls_cancelled_on_a_callers_engine_leave_no_noise(database: Database, driver: str) -> None:
    """FLT-3: at every point of a call, the connecting included."""
    noise: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
    engine = create_async_engine(url_for(database.dsn, driver), pool_size=2)
    async with Keep(PostgresAdapter(engine, prefix=database.prefix)) as keep:
        session = await keep.sessions.create()
        for number in range(60):
            await engine.dispose()  # so that the next call connects
            calls = [asyncio.create_task(keep.sessions.get(session.id)) for _ in range(4)]
            await asyncio.sleep(number / 10_000)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        assert (await keep.sessions.get(session.id)).id == session.id
    await asyncio.sleep(0.1)
    await engine.dispose()
    gc.collect()
    await asyncio.sleep(0)
    assert noise == []


@DRIVERS
async def test_calls_that_fail_leave_the_callers_transactions_alone(database: Database, driver: str) -> None:
    """LIFE-2: psycopg's connections commit each statement while a call of ours has them."""
    url = url_for(database.dsn, driver)
    async with over_engine(url, partial(PostgresAdapter, prefix=database.prefix), pool_size=1) as over:
        async with Keep(over.adapter) as keep:
            session = await keep.sessions.create()
            await database.run("ALTER TABLE {p}sessions RENAME TO {p}away")
            with pytest.raises(PersistenceError):
                await keep.sessions.get(session.id)
            assert await over.client_works()
            await database.run("ALTER TABLE {p}away RENAME TO {p}sessions")
            assert await keep.sessions.get(session.id) == session
        assert await over.client_works()


@DRIVERS
@pytest.mark.parametrize("verb", ["read", "write"])
async def test_the_timeout_bounds_the_wait_for_an_answer(database: Database, driver: str, verb: str) -> None:
    """FLT-5: on a server that falls silent."""
    async with Proxy(*address_of(database.dsn)) as proxy:
        dsn = proxy.through(url_for(database.dsn, driver))
        async with Keep(PostgresAdapter.from_url(dsn, prefix=database.prefix, timeout=0.5)) as keep:
            session = await keep.sessions.create()
            proxy.arm(Fault.STALL_REQUEST, then_refuse=False)
            started = time.monotonic()
            call = keep.sessions.update(session.id, title="x") if verb == "write" else keep.sessions.get(session.id)
            await asyncio.gather(call, return_exceptions=True)
            assert time.monotonic() - started < 1
            proxy.restore()


@DRIVERS
async def test_the_timeout_bounds_the_wait_for_a_connection(database: Database, driver: str) -> None:
    """FLT-5: the only connection waits for a lock, the other calls for the connection."""
    dsn = url_for(database.dsn, driver)
    adapter = PostgresAdapter.from_url(dsn, prefix=database.prefix, timeout=0.5, pool_size=1)
    async with Keep(adapter) as keep:
        session = await keep.sessions.create()
        locking = asyncio.create_task(
            database.run("DO $$ BEGIN PERFORM 1 FROM {p}sessions FOR UPDATE; PERFORM pg_sleep(1.5); END $$")
        )
        await asyncio.sleep(0.2)
        started = time.monotonic()
        calls = [keep.sessions.update(session.id, title="x") for _ in range(4)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - started < 1
        assert [type(result) for result in results] == [OutcomeUnknown, *[Unavailable] * 3]
        await locking
        assert (await keep.sessions.get(session.id)).title is None
        await keep.messages.append(session.id, [NewMessage(role="user")])


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_missing_driver_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    """ERR-1: never another driver in silence."""
    monkeypatch.setattr(urls, "find_spec", _find_nothing)
    with pytest.raises(AdapterNotInstalled, match="pip install") as refused:
        PostgresAdapter.from_url(f"postgresql+{driver}://host/database")
    assert driver in str(refused.value)


@DRIVERS
async def test_an_error_says_the_code_and_the_sentence_and_no_content(database: Database, driver: str) -> None:
    """ERR-3: the server's DETAIL holds the values of keys."""
    async with Keep(PostgresAdapter.from_url(url_for(database.dsn, driver), prefix=database.prefix)) as keep:
        session = await keep.sessions.create()
        await database.run("CREATE UNIQUE INDEX {p}only ON {p}sessions (title)")
        await keep.sessions.create(title="secret content")
        with pytest.raises(Exception, match="SQLSTATE 23505") as refused:
            await keep.sessions.update(session.id, title="secret content")
        assert "secret" not in str(refused.value)
        assert "unique constraint" in str(refused.value)


def _find_nothing(_: str) -> None:
    """As `importlib.util.find_spec` of a package that is not installed."""


def test_a_value_that_the_server_refuses_is_not_quoted() -> None:
    """ERR-3: the sentence of class 22 quotes it."""

    class ServerError(Exception):
        sqlstate = "22P02"

    said = errors.translated(ServerError('invalid input syntax for type bigint: "secret"'), "postgresql://host/db")
    assert "secret" not in str(said)
    assert "22P02" in str(said)


async def _scans(adapter: PostgresAdapter) -> Sequence[Row]:
    return await adapter._client.read(_SCANS, {})  # pyright: ignore[reportPrivateUsage] - on a connection of the keep


@DRIVERS
async def test_our_connections_plan_without_scans_of_tables_and_a_callers_do_not(
    database: Database, driver: str
) -> None:
    """COST-4: each connection that a keep opens. What a caller's engine is set to is the caller's."""
    adapter = PostgresAdapter.from_url(url_for(database.dsn, driver), prefix=database.prefix)
    async with Keep(adapter):
        found = await asyncio.gather(*(_scans(adapter) for _ in range(4)))
    assert [rows[0][0] for rows in found] == ["off"] * 4
    assert len({rows[0][1] for rows in found}) > 1, "they had more than one connection"
    engine = create_async_engine(url_for(database.dsn, driver))
    adapter = PostgresAdapter(engine, prefix=database.prefix)
    async with Keep(adapter):
        assert (await _scans(adapter))[0][0] == "on"
    await engine.dispose()


async def test_a_pooler_passes_no_setting_of_ours_on(database: Database, bouncer: str) -> None:
    adapter = PostgresAdapter.from_url(bouncer, prefix=database.prefix)
    async with Keep(adapter):
        assert (await _scans(adapter))[0][0] == "on"
