"""What is PostgreSQL's own: time zones, lost connections, poolers, callers' engines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from agentkeep import Keep, NewMessage
from agentkeep.errors import ConfigurationError, LimitExceeded, Unavailable
from agentkeep_conformance.listed_tenants import check_tenants_are_listed
from agentkeep_conformance.proxy import Fault, Proxy
from agentkeep_conformance.servers.chosen import address_of
from agentkeep_postgres import PostgresAdapter, appends
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from .lives import write_and_read

if TYPE_CHECKING:
    from .conftest import Database

pytestmark = pytest.mark.anyio


@pytest.fixture
def zone_of_the_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("zone_of_the_host")
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_time_zones_do_not_matter(database: Database, driver: str) -> None:
    """FID-3, TTL-1: host, server and database session in zones of their own; an hour that a zone has twice."""
    dsn = database.dsn.replace("postgresql://", f"postgresql+{driver}://")
    engine = create_async_engine(dsn)
    twice = [datetime(2025, 11, 2, hour, 30, 0, 123456, tzinfo=UTC) for hour in (5, 6)]
    async with database.keep() as keep, Keep(PostgresAdapter(engine, prefix=database.prefix)) as there:
        async with engine.connect() as connection:
            await connection.execute(text("SET TIME ZONE 'America/New_York'"))
            await connection.commit()
        session = await keep.sessions.create(ttl=timedelta(hours=1))
        assert session.expires_at == session.created_at + timedelta(hours=1)
        assert abs(session.created_at - datetime.now(UTC)) < timedelta(minutes=10)
        written = await there.messages.append(
            session.id, [NewMessage(role="user", created_at=moment) for moment in (*twice, None)]
        )
        assert [message.created_at for message in written[:2]] == twice
        assert {str(message.created_at.tzinfo) for message in written} == {"UTC"}
        for reader in (keep, there):
            assert (await reader.messages.list(session.id)).items == list(written)
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
        assert (await keep.sessions.get(session.id)).version - session.version == (0 if call == "read" else 3)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_connections_that_fell_silent_while_idle_cost_a_read_no_error(database: Database, driver: str) -> None:
    """FLT-2: as behind a firewall that forgot them. A server that stays silent is `Unavailable`."""
    dsn = database.dsn.replace("postgresql://", f"postgresql+{driver}://")
    async with Proxy(*address_of(database.dsn)) as proxy:
        options = {"prefix": database.prefix, "timeout": 0.5, "connect_timeout": 2}
        async with Keep(PostgresAdapter.from_url(proxy.through(dsn), **options)) as keep, asyncio.timeout(60):
            session = await keep.sessions.create()
            await asyncio.gather(*(keep.sessions.get(session.id) for _ in range(5)))
            stalled = proxy.arm(Fault.STALL_REQUEST)
            assert await keep.sessions.get(session.id) == session
            assert stalled.struck.is_set()
            proxy.slow(2)
            with pytest.raises(Unavailable):
                await keep.sessions.get(session.id)
            proxy.slow()


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


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_watch_over_the_callers_engine_listens(database: Database, driver: str) -> None:
    """WATCH-1: outside of a transaction, where LISTEN would wait for its commit."""
    engine = create_async_engine(database.dsn.replace("postgresql://", f"postgresql+{driver}://"))
    listening = "SELECT state FROM pg_stat_activity WHERE query ~ 'LISTEN .?{p}landed' AND pid <> pg_backend_pid()"
    async with Keep(PostgresAdapter(engine, prefix=database.prefix)) as keep, asyncio.timeout(60):
        session = await keep.sessions.create()
        await keep.messages.append(session.id, [NewMessage(role="user")])
        watch = keep.messages.watch(session.id, after_seq=0)
        assert (await anext(watch)).seq == 1
        assert await database.run(listening) == [("idle",)]
        await watch.aclose()
        while await database.run(listening):  # noqa: ASYNC110 - the server notices the end
            await asyncio.sleep(0.02)
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


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_what_a_database_sets_for_its_connections_does_not_matter(database: Database, driver: str) -> None:
    """FID-2, FID-3: other dates, client encoding and time zone; times at the calendar's ends."""
    name = database.prefix.rstrip("_")
    await database.run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        for setting in ("datestyle = 'SQL, DMY'", "client_encoding = 'LATIN1'", "timezone = 'Asia/Tokyo'"):
            await database.run(f"ALTER DATABASE {name} SET {setting}")
        address = urlsplit(database.dsn)._replace(scheme=f"postgresql+{driver}", path=f"/{name}")
        async with Keep(PostgresAdapter.from_url(address.geturl())) as keep:
            await write_and_read(keep)
            session = await keep.sessions.create(title="你好 Grüße")
            ends = [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)]
            written = await keep.messages.append(
                session.id, [NewMessage(role="user", content="你好", created_at=moment) for moment in ends]
            )
            assert [message.created_at for message in written] == ends
            assert (await keep.messages.list(session.id)).items == list(written)
            assert await keep.messages.pop(session.id) == written[1]
            assert (await keep.sessions.get(session.id)).last_message_at == ends[0]
    finally:
        await database.run(f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_text_that_the_callers_engine_can_not_say_is_no_lost_connection(database: Database) -> None:
    """ERR-2: the driver refused it and sent nothing; the connection goes on."""
    dsn = database.dsn.replace("postgresql://", "postgresql+psycopg://")
    engine = create_async_engine(dsn, connect_args={"client_encoding": "LATIN1", "application_name": database.prefix})
    connections = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
    async with Keep(PostgresAdapter(engine, prefix=database.prefix)) as keep:
        session = await keep.sessions.create()
        before = await database.run(connections, database.prefix)
        with pytest.raises(ConfigurationError, match="client_encoding"):
            await keep.sessions.update(session.id, title="你好")
        assert await keep.sessions.get(session.id) == session
        assert await database.run(connections, database.prefix) == before
    await engine.dispose()


async def test_an_append_that_no_server_takes_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """FID-4: before anything is sent. The true limit would take this test's machine two gigabytes."""
    monkeypatch.setattr(appends, "MAX_APPEND_BYTES", 4_000)
    async with database.keep() as keep:
        await keep.sessions.create("s")
        with pytest.raises(LimitExceeded) as refused:
            await keep.messages.append("s", [NewMessage(role="user", content="é" * 400) for _ in range(3)])
        assert (refused.value.limit, await keep.messages.count("s")) == (4_000, 0)
        assert refused.value.actual > 4_800
        await keep.messages.append("s", [NewMessage(role="user", content="é" * 400) for _ in range(2)])


async def test_tenants_with_sessions_are_listed(database: Database) -> None:
    async with database.keep() as keep:
        await check_tenants_are_listed(keep)
