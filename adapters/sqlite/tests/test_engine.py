"""The caller's own engine: used as it is set up, seen by its events, never closed (LIFE-2, LIFE-3, FLT-3)."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from agentkeep import ConfigurationError, Conflict, Keep, NewMessage, PersistenceError, Unavailable
from agentkeep_sqlite import SQLiteAdapter
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool, StaticPool

pytestmark = pytest.mark.anyio


def said(text: str = "x", id: str | None = None) -> NewMessage:
    return NewMessage(role="user", content=text, id=id)


def bytes_of(file: Path) -> bytes:
    return file.read_bytes()


def begin_by_hand(engine: AsyncEngine) -> AsyncEngine:
    """SQLAlchemy's own recipe for SQLite: the driver begins nothing, an event does."""

    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    def began(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    event.listen(engine.sync_engine, "connect", connected)
    event.listen(engine.sync_engine, "begin", began)
    return engine


def make(kind: str, file: Path) -> AsyncEngine:
    url = f"sqlite+aiosqlite:///{file}"
    match kind:
        case "autocommit":
            return create_async_engine(url, isolation_level="AUTOCOMMIT")
        case "begin by hand":
            return begin_by_hand(create_async_engine(url))
        case "no pool":
            return create_async_engine(url, poolclass=NullPool)
        case "pool of one":
            return create_async_engine(url, poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0)
        case "memory":
            return create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
        case _:
            return create_async_engine(url)


@pytest.fixture(params=["default", "autocommit", "begin by hand", "no pool", "pool of one", "memory"])
async def engine(request: pytest.FixtureRequest, file: Path) -> AsyncIterator[AsyncEngine]:
    engine = make(request.param, file)
    yield engine
    await engine.dispose()


async def test_writes_of_many_tasks_land_once_and_in_order(engine: AsyncEngine) -> None:
    async with Keep(SQLiteAdapter(engine)) as keep, Keep(SQLiteAdapter(engine)) as twin:
        await keep.sessions.create("s")
        await asyncio.gather(*((keep, twin)[i % 2].messages.append("s", [said(), said()]) for i in range(30)))
        assert [message.seq for message in await keep.messages.tail("s", 99)] == list(range(1, 61))
        assert (await twin.sessions.get("s")).message_count == 60


async def test_two_prefixes_on_one_engine_write_at_the_same_time(engine: AsyncEngine) -> None:
    """ISO-3: with one connection for all, one transaction must not run into the other."""
    async with Keep(SQLiteAdapter(engine, prefix="one")) as one, Keep(SQLiteAdapter(engine, prefix="two")) as two:
        await asyncio.gather(*(keep.sessions.create("s") for keep in (one, two)))
        await asyncio.gather(*((one, two)[n % 2].messages.append("s", [said(), said()]) for n in range(60)))
        for keep in (one, two):
            assert [message.seq for message in await keep.messages.tail("s", 99)] == list(range(1, 61))


@pytest.mark.parametrize("kind", ["default", "autocommit", "begin by hand", "no pool", "pool of one"])
async def test_writers_with_engines_of_their_own_never_conflict(kind: str, file: Path) -> None:
    """ORD-4: a write that begins as a reader is refused at once if another one commits before it writes."""
    engines = [make(kind, file) for _ in range(2)]
    async with Keep(SQLiteAdapter(engines[0])) as keep, Keep(SQLiteAdapter(engines[1])) as other:
        await keep.sessions.create("s")
        for _ in range(10):
            calls = [each.messages.append("s", [said()], add={"n": 1}) for each in (keep, other) * 4]
            await asyncio.gather(*calls)
        session = await other.sessions.get("s")
        assert (session.last_seq, session.message_count, session.counters) == (80, 80, {"n": 80})
    for engine in engines:
        await engine.dispose()


async def test_a_refused_write_leaves_nothing_and_no_transaction(engine: AsyncEngine) -> None:
    async with Keep(SQLiteAdapter(engine)) as keep:
        await keep.sessions.create("s")
        await keep.messages.append("s", [said("a", id="m")])
        with pytest.raises(Conflict):
            await keep.messages.append("s", [said("b", id="m")], truncate_after=0)
        with pytest.raises(Conflict):
            await keep.sessions.update("s", expected_version=7, title="t")
        assert [message.content for message in await keep.messages.tail("s", 5)] == ["a"]
        assert (await keep.messages.append("s", [said("c")]))[0].seq == 2


async def test_cancelled_calls_land_wholly_or_not_at_all(engine: AsyncEngine) -> None:
    async with Keep(SQLiteAdapter(engine)) as keep:
        await keep.sessions.create("s")
        for turn in range(40):
            tasks = [asyncio.ensure_future(keep.messages.append("s", [said(), said()])) for _ in range(2)]
            for _ in range(turn):
                await asyncio.sleep(0)
            tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await keep.messages.append("s", [said(), said()])
        session = await keep.sessions.get("s")
        stored = [message.seq async for message in keep.messages.iterate("s")]
    assert stored == list(range(1, session.last_seq + 1))
    assert session.message_count == len(stored) >= 82
    assert len(stored) % 2 == 0


async def test_the_engine_is_the_callers_and_stays_open(engine: AsyncEngine) -> None:
    seen: list[str] = []

    def executed(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", executed)
    async with Keep(SQLiteAdapter(engine)) as keep:
        await keep.sessions.create("s")
        await keep.messages.append("s", [said()])
        assert (await keep.messages.search("absent")) == []
    assert [statement for statement in seen if "INSERT INTO agentkeep_message " in statement]
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar() == 1


async def test_watch_sees_appends(engine: AsyncEngine) -> None:
    async with Keep(SQLiteAdapter(engine)) as keep:
        await keep.sessions.create("s")
        watching = keep.messages.watch("s", after_seq=0)
        landing = asyncio.ensure_future(anext(watching))
        await keep.messages.append("s", [said("x")])
        async with asyncio.timeout(30):
            assert (await landing).content == "x"
        await watching.aclose()


async def test_erased_text_is_overwritten_through_an_engine_too(file: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    async with Keep(SQLiteAdapter(engine)) as keep:
        await keep.sessions.create("s")
        await keep.messages.append("s", [said("a canary sang")])
        await keep.sessions.delete("s")
    await engine.dispose()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"canary" not in bytes_of(file)


async def test_health_tells_what_the_engine_gives_up(file: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    async with Keep(SQLiteAdapter(engine)) as keep:
        health = await keep.health()
    await engine.dispose()
    assert (health.durability, keep.capabilities.durability, keep.capabilities.shared) == ("fsync", "fsync", True)
    assert [warning for warning in health.warnings if "journal_mode is delete" in warning]
    assert [warning for warning in health.warnings if "don't share commits" in warning]


async def test_a_lock_that_is_never_let_go_is_unavailable(file: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}", connect_args={"timeout": 0.05})
    async with Keep(SQLiteAdapter(engine)) as keep:
        await keep.sessions.create("s")
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable) as caught:
                await keep.messages.append("s", [said()])
        assert caught.value.__cause__ is not None
        assert (await keep.messages.append("s", [said()]))[0].seq == 1
    await engine.dispose()


def test_another_event_loop_is_told_what_to_do(file: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}", poolclass=NullPool)
    keep = Keep(SQLiteAdapter(engine))
    asyncio.run(_opened(keep))
    with pytest.raises(ConfigurationError, match="one event loop"):
        asyncio.run(keep.sessions.count())


async def _opened(keep: Keep) -> None:
    await keep.open()


@pytest.mark.parametrize("kind", ["default", "no pool", "pool of one", "memory"])
def test_one_engine_in_two_event_loops_works_or_is_refused_and_never_hangs(kind: str, file: Path) -> None:
    engine = make(kind, file)
    has_pool = not isinstance(engine.pool, NullPool)  # before SQLAlchemy 2.0.38 the default is none
    asyncio.run(_prepare(engine))
    said_of: list[str] = []
    together = threading.Barrier(2)
    threads = [
        threading.Thread(target=lambda: said_of.append(asyncio.run(_append_often(engine, together))), daemon=True)
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    asyncio.run(engine.dispose())
    assert sorted(said_of) == (["done", "refused"] if has_pool else ["done", "done"])


async def _prepare(engine: AsyncEngine) -> None:
    async with Keep(SQLiteAdapter(engine)) as keep:
        await keep.sessions.create("s")


async def _append_often(engine: AsyncEngine, together: threading.Barrier) -> str:
    keep = Keep(SQLiteAdapter(engine))
    try:
        together.wait(30)
        await keep.open()
        await asyncio.to_thread(together.wait, 30)
    except ConfigurationError as error:
        await asyncio.to_thread(together.wait, 30)
        return "refused" if "one event loop" in str(error) else str(error)
    for _ in range(40):
        await asyncio.gather(*(keep.messages.append("s", [said()]) for _ in range(4)))
    await keep.close()
    return "done"


def test_an_engine_moves_to_the_next_event_loop_after_close_or_the_loops_end(file: Path) -> None:
    engine = make("memory", file)
    asyncio.run(_prepare(engine))
    asyncio.run(_opened(Keep(SQLiteAdapter(engine))))  # its loop ends without close
    asyncio.run(_reads(engine))
    asyncio.run(engine.dispose())


async def _reads(engine: AsyncEngine) -> None:
    async with Keep(SQLiteAdapter(engine)) as keep:
        assert await keep.sessions.count() == 1


@pytest.mark.parametrize("wrong", [None, 5, object()])
def test_what_is_neither_path_nor_engine_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="AsyncEngine"):
        SQLiteAdapter(wrong)


async def test_an_engine_on_what_is_no_database(file: Path) -> None:
    fill(file)
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    with pytest.raises(PersistenceError, match="not a database"):
        await SQLiteAdapter(engine).open()
    await engine.dispose()


def fill(file: Path) -> None:
    file.write_text("these are notes, of more than a hundred bytes, " * 5)
