"""What a reader once saw as expired stays so, although a write that keeps the session may commit later (TTL-1)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from agentkeep import Keep, NewMessage, SessionNotFound
from agentkeep_sqlite import SQLiteAdapter
from agentkeep_sqlite.tables import Tables
from sqlalchemy.ext.asyncio import create_async_engine

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


class SlowAppend:
    """Holds an append between the moment when it judges the expiry and its commit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_written, self._may_commit = threading.Event(), threading.Event()
        update_log = Tables.update_log

        def slowly(*arguments: Any, **options: Any) -> None:
            update_log(*arguments, **options)
            self.is_written.set()
            assert self._may_commit.wait(30)

        monkeypatch.setattr(Tables, "update_log", slowly)

    async def begun(self) -> None:
        assert await asyncio.to_thread(self.is_written.wait, 30)

    def end(self) -> None:
        self._may_commit.set()


async def exists(call: Awaitable[Any]) -> bool:
    try:
        found: Any = await call
    except SessionNotFound:
        return False
    return bool(found.items if hasattr(found, "next_cursor") else found)


READS: dict[str, Callable[[Keep], Awaitable[object]]] = {
    "find": lambda keep: keep.sessions.find("s"),
    "get_many": lambda keep: keep.sessions.get_many(["s"]),
    "resume": lambda keep: keep.sessions.resume("s"),
    "list": lambda keep: keep.sessions.list(),
    "count": lambda keep: keep.sessions.count(),
    "find_active": lambda keep: keep.sessions.find_active("u"),
    "messages": lambda keep: keep.messages.tail("s", 5),
    "message": lambda keep: keep.messages.get("s", "first"),
    "messages by id": lambda keep: keep.messages.get_many("s", ["first"]),
    "search": lambda keep: keep.messages.search("hello"),
    "search in it": lambda keep: keep.messages.search("hello", session_id="s"),
}


@pytest.mark.parametrize("reader", ["the same instance", "another process", "an engine"])
@pytest.mark.parametrize("read", READS)
async def test_a_read_waits_for_the_write_that_may_keep_the_session(
    file: Path, monkeypatch: pytest.MonkeyPatch, read: str, reader: str
) -> None:
    clock = Clock()
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    async with Keep(SQLiteAdapter(file, clock=clock)) as keep:
        readers = {
            "the same instance": keep,
            "another process": Keep(SQLiteAdapter(file, clock=clock)),
            "an engine": Keep(SQLiteAdapter(engine, clock=clock)),
        }
        async with readers[reader] as other:
            await keep.sessions.create("s", user_id="u", idle_ttl=10 * SECOND)
            await keep.messages.append("s", [NewMessage(role="user", content="hello", id="first")])
            clock.time += 9 * SECOND
            slow = SlowAppend(monkeypatch)
            appending = asyncio.ensure_future(keep.messages.append("s", [NewMessage(role="user", content="hello")]))
            await slow.begun()
            clock.time += 2 * SECOND
            reading = asyncio.ensure_future(exists(READS[read](other)))
            await asyncio.wait([reading], timeout=0.1)
            slow.end()
            assert len(await appending) == 1
            assert await reading, "the read saw the session as expired, but it is there"
            assert await exists(READS[read](other))
            clock.time += 20 * SECOND
            assert not await exists(READS[read](other))
    await engine.dispose()


async def test_a_read_of_a_session_that_expired_long_ago_waits_for_nobody(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    async with Keep(SQLiteAdapter(file, clock=clock)) as keep:
        await keep.sessions.create("old", ttl=SECOND)
        await keep.sessions.create("s")
        clock.time += 2 * SECOND
        assert await keep.sessions.find("old") is None
        slow = SlowAppend(monkeypatch)
        appending = asyncio.ensure_future(keep.messages.append("s", [NewMessage(role="user")]))
        await slow.begun()
        async with asyncio.timeout(10):
            assert await keep.sessions.find("old") is None
            assert [session.id for session in (await keep.sessions.list()).items] == ["s"]
        slow.end()
        await appending


async def test_a_session_in_use_never_comes_back(file: Path) -> None:
    """A race with the real clock: two appenders and a reader, at the edge of the session's idle time."""
    async with Keep(SQLiteAdapter(file)) as keep, Keep(SQLiteAdapter(file)) as other:
        for turn in range(40):
            name = f"s{turn}"
            await keep.sessions.create(name, idle_ttl=0.004)
            is_gone = False
            for number in range(60):
                writer = (keep, other)[number % 2]
                appending = asyncio.ensure_future(writer.messages.append(name, [NewMessage(role="user")]))
                found = await other.sessions.find(name)
                await asyncio.wait([appending])
                appending.exception()  # SessionNotFound, once it has expired
                assert not (is_gone and found is not None), f"{name} came back"
                is_gone = is_gone or found is None
                if is_gone and number > 50:
                    break
                await asyncio.sleep(0.0035 if number % 3 else 0.0045)
