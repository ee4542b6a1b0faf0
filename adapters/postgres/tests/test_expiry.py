"""A session that expires while a call works on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from agentkeep import Keep, NewMessage
from agentkeep.errors import SessionNotFound
from agentkeep_postgres import PostgresAdapter

if TYPE_CHECKING:
    from .conftest import Database

pytestmark = pytest.mark.anyio

_SLOW = """
CREATE FUNCTION {p}slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT ON {p}messages EXECUTE FUNCTION {p}slow();
"""


@pytest.mark.parametrize("lives", [{"ttl": 0.3}, {"idle_ttl": 0.3}], ids=["to an end", "idle"])
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_an_append_that_outlives_its_session_does_nothing(
    database: Database, driver: str, lives: dict[str, Any]
) -> None:
    """ORD-6, SES-4, TTL-1: nothing of it lands, and the session stays expired, sliding or not."""
    dsn = database.dsn.replace("postgresql://", f"postgresql+{driver}://")
    adapter = PostgresAdapter.from_url(dsn, prefix=database.prefix)
    stored = "SELECT version, message_count, last_seq, state, status, expires_at FROM {p}sessions"
    async with Keep(adapter) as keep:
        await database.run(_SLOW)
        session = await keep.sessions.create(state={"v": 0}, **lives)
        try:
            with pytest.raises(SessionNotFound):
                await keep.messages.append(
                    session.id, [NewMessage(role="user")] * 3, update={"state": {"v": 1}, "status": "completed"}
                )
            assert await keep.sessions.find(session.id) is None
            assert await database.run(stored) == [(session.version, 0, 0, '{"v":0}', "active", session.expires_at)]
            assert await database.run("SELECT count(*) FROM {p}messages") == [(0,)]
        finally:
            await database.run("DROP TRIGGER slow ON {p}messages")


async def test_a_slow_append_within_its_sessions_life_lands_whole(database: Database) -> None:
    """ORD-6, TTL-1: messages, fields and the new expiry, by one judgement."""
    async with Keep(database.adapter(), idle_ttl=timedelta(hours=1)) as keep:
        await database.run(_SLOW)
        session = await keep.sessions.create(state={"v": 0})
        try:
            await keep.messages.append(session.id, [NewMessage(role="user")], update={"state": {"v": 1}})
        finally:
            await database.run("DROP TRIGGER slow ON {p}messages")
        after = await keep.sessions.get(session.id)
        assert (after.state, after.version, after.message_count) == ({"v": 1}, session.version + 1, 1)
        assert after.expires_at is not None
        assert session.expires_at is not None
        assert after.expires_at > session.expires_at


_SLOW_CHANGE = """
CREATE FUNCTION {p}slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER UPDATE ON {p}sessions EXECUTE FUNCTION {p}slow();
"""


@pytest.mark.parametrize("verb", ["update", "touch"])
async def test_a_change_that_outlives_its_session_does_nothing(database: Database, verb: str) -> None:
    """TTL-1, SES-4: while it ran, a reader may have seen the session expired, so no new end brings it back."""
    async with Keep(database.adapter()) as keep:
        await database.run(_SLOW_CHANGE)
        await keep.sessions.create("s", ttl=0.3)
        try:
            with pytest.raises(SessionNotFound):
                await (keep.sessions.update("s", ttl=60) if verb == "update" else keep.sessions.touch("s", 60))
            assert await keep.sessions.find("s") is None
        finally:
            await database.run("DROP TRIGGER slow ON {p}sessions")


_SLOW_COMMIT = """
CREATE FUNCTION {p}slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2.4); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON {p}messages DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION {p}slow();
"""
_READS: dict[str, Callable[[Keep], Awaitable[object]]] = {
    "find": lambda keep: keep.sessions.find("s"),
    "get_many": lambda keep: keep.sessions.get_many(["s"]),
    "list": lambda keep: _items(keep),
    "count": lambda keep: keep.sessions.count(),
    "messages": lambda keep: _log(keep),
}


async def _items(keep: Keep) -> object:
    return (await keep.sessions.list()).items


async def _log(keep: Keep) -> object:
    try:
        return [await keep.messages.list("s")]
    except SessionNotFound:
        return None


@pytest.mark.parametrize("read", _READS)
async def test_nobody_sees_a_session_expired_that_a_commit_on_its_way_keeps(database: Database, read: str) -> None:
    """TTL-1: the append judged the expiry in time, prolonged it, and its commit is done after the old end."""
    async with Keep(database.adapter(), idle_ttl=2) as keep:
        await database.run(_SLOW_COMMIT)
        await asyncio.gather(keep.sessions.count(), keep.sessions.count())  # two connections are there
        await keep.sessions.create("s")
        try:
            append = keep.messages.append("s", [NewMessage(role="user")], update={"idle_ttl": 60})
            appending = asyncio.create_task(append)
            seen: list[bool] = []
            while not appending.done():
                seen.append(bool(await _READS[read](keep)))
                await asyncio.sleep(0.02)
            await appending
            seen.append(await keep.sessions.find("s") is not None)
        finally:
            await database.run("DROP TRIGGER slow ON {p}messages")
        assert True in seen
        assert sorted(seen, reverse=True) == seen, "expired, and alive again"
