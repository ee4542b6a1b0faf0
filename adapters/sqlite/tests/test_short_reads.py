"""Short reads run on the event loop's thread, and what takes too long does not (COST-1, ERR-1, FLT-4)."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from agentkeep import Keep, NewMessage, connect
from agentkeep_sqlite import SQLiteAdapter, short_reads
from agentkeep_sqlite.rows import message_records

pytestmark = pytest.mark.anyio

_ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0"


@pytest.fixture(autouse=True)
def ample_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may stop us for longer than a short read may take."""
    monkeypatch.setattr(short_reads, "_LONGEST", 60.0)


@pytest.fixture
def read_on(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that turned rows to messages."""
    names: list[str] = []

    def recorded(session_id: str, rows: Any) -> Any:
        names.append(threading.current_thread().name)
        return message_records(session_id, rows)

    monkeypatch.setattr("agentkeep_sqlite.messages.message_records", recorded)
    return names


async def _fill(keep: Keep, count: int) -> list[int]:
    await keep.sessions.create("s")
    await keep.messages.append("s", [NewMessage(role="user", content="x" * 400) for _ in range(count)])
    return list(range(1, count + 1))


async def _seqs(keep: Keep, limit: int) -> list[int]:
    return [message.seq for message in await keep.messages.tail("s", limit)]


async def test_a_short_read_stays_on_the_loops_thread_and_a_long_one_does_not(file: Path, read_on: list[str]) -> None:
    async with connect(f"sqlite:///{file}") as keep:
        seqs = await _fill(keep, 200)
        assert await _seqs(keep, 5) == seqs[-5:]
        assert await _seqs(keep, 150) == seqs[-150:]
    assert read_on == [threading.current_thread().name, "agentkeep-sqlite"]


async def test_a_read_that_takes_too_long_is_repeated_on_a_thread(
    file: Path, read_on: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_reads, "_LONGEST", 0.0)
    async with connect(f"sqlite:///{file}") as keep:
        seqs = await _fill(keep, 20)
        assert await _seqs(keep, 5) == seqs[-5:]
        assert [message.seq for message in (await keep.sessions.resume("s", tail=5)).messages] == seqs[-5:]
        with closing(sqlite3.connect(file, timeout=0)) as other:  # an abandoned read would hold a snapshot
            busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert set(read_on) == {"agentkeep-sqlite"}
    assert not busy


async def test_a_statement_that_finds_nothing_for_long_is_interrupted(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_reads, "_LONGEST", 0.01)
    async with connect(f"sqlite:///{file}") as keep:
        await _fill(keep, 1)
        reads = short_reads.ShortReads(sqlite3.connect(file), lambda: (0, 0))
        with closing(reads):
            with pytest.raises(short_reads.NotShort):
                await reads.run(lambda db: db.all(_ENDLESS))
            with pytest.raises(short_reads.NotShort):  # the next ones are not tried
                await reads.run(lambda db: db.all("SELECT 1"))


async def test_the_more_reads_are_slow_the_more_of_the_next_ones_go_to_a_thread_at_once(
    file: Path, read_on: list[str]
) -> None:
    here, thread = threading.current_thread().name, "agentkeep-sqlite"

    async def read(keep: Keep, count: int, longest: float) -> list[str]:
        read_on.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(short_reads, "_LONGEST", longest)
            for _ in range(count):
                await _seqs(keep, 1)
        return read_on.copy()

    async with connect(f"sqlite:///{file}") as keep:
        await _fill(keep, 1)
        assert await read(keep, 1, 0.0) == [thread]
        assert await read(keep, 3, 60.0) == [thread, here, here]  # one late read costs the next one alone
        await read(keep, sum(2**doubled + 1 for doubled in range(8)), 0.0)
        await read(keep, 130, 0.0)  # no pause is longer than 128: the last of these was tried again
        assert await read(keep, 128, 60.0) == [thread] * 128
        assert await read(keep, 200, 60.0) == [here] * 200  # reads in time bring the loop's thread back
        await read(keep, 1, 0.0)
        assert await read(keep, 2, 60.0) == [thread, here]


async def test_a_task_that_only_reads_lets_others_run(file: Path) -> None:
    async with connect(f"sqlite:///{file}") as keep:
        await _fill(keep, 1)
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.ensure_future(count_turns())
        for _ in range(50):
            await keep.sessions.get("s")
        counting.cancel()
    assert turns >= 50


async def test_a_read_of_another_threads_loop_does_not_wait(file: Path) -> None:
    keep = connect(f"sqlite:///{file}")
    async with keep:
        seqs = await _fill(keep, 100)
        reads: list[list[int]] = []

        def read_much() -> None:
            reads.extend(asyncio.run(_many(keep)))

        threads = [threading.Thread(target=read_much) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
    assert reads == [seqs[-50:]] * 150


async def _many(keep: Keep) -> list[list[int]]:
    return [await _seqs(keep, 50) for _ in range(50)]


async def test_the_last_connection_closes_alone_so_no_log_is_left_beside_the_file(file: Path) -> None:
    """SQLite leaves its log there if two connections close at the same moment: the other threads close before this."""
    adapter = SQLiteAdapter(file)
    client: Any = getattr(adapter, "_client")  # noqa: B009 - it is private
    alive: list[bool] = []

    class Last:
        def __init__(self, reads: short_reads.ShortReads) -> None:
            self._reads = reads

        def close(self) -> None:
            alive.extend(thread.is_alive() for thread in client._threads)
            self._reads.close()

    await adapter.open()
    client._short_reads = Last(client._short_reads)
    await adapter.close()
    assert alive == [False, False, False]
    assert [path.name for path in file.parent.iterdir()] == [file.name]
