"""The watch loop over a log that a test writes by hand (WATCH-1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import cast

import pytest
from agentkeep.errors import Closed, SessionNotFound, Unavailable
from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep.spi import watch as module
from agentkeep.spi.notify import Key, Notifier
from agentkeep.spi.watch import watch

pytestmark = pytest.mark.anyio

SCOPE = Scope("t")
KEY: Key = ("t", "s")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Log:
    """One session's log, and how often it was read."""

    def __init__(self) -> None:
        self.notifier = Notifier()
        self.seqs: list[int] = []
        self.life = "first"
        self.reads = 0
        self.failures: list[Exception] = []

    def land(self, *seqs: int, notify: bool = True) -> None:
        self.seqs += seqs
        if notify:
            self.notifier.notify(KEY)

    async def read(self, window: MessageRange) -> tuple[str, Sequence[MessageRecord]]:
        self.reads += 1
        if self.failures:
            raise self.failures.pop(0)
        await asyncio.sleep(0)
        return self.life, [record(seq) for seq in self.seqs if seq > window.after][: window.limit]

    @asynccontextmanager
    async def watched(self, after_seq: int = 0) -> AsyncGenerator[AsyncIterator[int]]:
        records = cast(
            "AsyncGenerator[MessageRecord]", watch(self.notifier, SCOPE, "s", self.read, after_seq=after_seq)
        )
        try:
            async with asyncio.timeout(10):
                yield (record.seq async for record in records)
        finally:
            await records.aclose()


def record(seq: int) -> MessageRecord:
    return MessageRecord(id=f"m{seq}", seq=seq, role="user", payload="{}", created_at=NOW)


async def first(count: int, seqs: AsyncIterator[int]) -> list[int]:
    return [await anext(seqs) for _ in range(count)]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)


async def test_what_is_there_comes_first_and_then_what_lands(log: Log) -> None:
    log.land(1, 2, 3)
    async with log.watched(after_seq=1) as seqs:
        assert await first(2, seqs) == [2, 3]
        waiting = asyncio.create_task(first(2, seqs))
        await asyncio.sleep(0.01)
        log.land(4, 5)
        assert await waiting == [4, 5]


async def test_full_pages_are_read_on_at_once(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    log.land(*range(1, 8))
    async with log.watched() as seqs:
        assert await first(7, seqs) == list(range(1, 8))
    assert log.reads == 4


async def test_what_lands_during_a_read_is_not_missed(log: Log) -> None:
    """The watcher is woken by what lands after the read has begun, although it waits only later."""
    real = log.read

    async def read(window: MessageRange) -> tuple[str, Sequence[MessageRecord]]:
        found = await real(window)
        if log.reads == 1:
            log.land(1)
        return found

    log.read = read
    async with log.watched() as seqs:
        started = asyncio.get_running_loop().time()
        assert await first(1, seqs) == [1]
        assert asyncio.get_running_loop().time() - started < module.QUIET_SECONDS / 2


@pytest.mark.usefixtures("quickly")
async def test_a_lost_notification_costs_a_moment_and_no_message(log: Log) -> None:
    async with log.watched() as seqs:
        waiting = asyncio.create_task(first(1, seqs))
        await asyncio.sleep(0.02)
        log.land(1, notify=False)
        assert await waiting == [1]


async def test_a_session_that_is_gone_ends_the_watch(log: Log) -> None:
    log.failures = [SessionNotFound("s")]
    async with log.watched() as seqs:
        with pytest.raises(SessionNotFound):
            await anext(seqs)
    assert not log.notifier.has_watchers


@pytest.mark.usefixtures("quickly")
async def test_a_new_session_under_the_same_id_is_another_one(log: Log) -> None:
    log.land(1)
    async with log.watched() as seqs:
        assert await first(1, seqs) == [1]
        log.life = "second"
        log.seqs = [1, 2, 3]
        with pytest.raises(SessionNotFound):
            await anext(seqs)


@pytest.mark.usefixtures("quickly")
async def test_a_server_that_is_away_for_a_while_is_waited_for(log: Log) -> None:
    log.land(1)
    async with log.watched() as seqs:
        assert await first(1, seqs) == [1]
        log.failures = [Unavailable("away")] * 20
        log.land(2)
        assert await first(1, seqs) == [2]


@pytest.mark.usefixtures("quickly")
async def test_a_server_that_stays_away_is_not(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.05)
    log.failures = [Unavailable("away")] * 10_000
    async with log.watched() as seqs:
        with pytest.raises(Unavailable):
            await anext(seqs)
    assert log.reads > 5


async def test_closing_the_adapter_ends_the_watch(log: Log) -> None:
    async with log.watched() as seqs:
        waiting = asyncio.ensure_future(anext(seqs))
        await asyncio.sleep(0.01)
        log.notifier.close()
        with pytest.raises(Closed):
            await waiting


@pytest.mark.usefixtures("quickly")
async def test_without_notifications_the_log_is_polled(log: Log) -> None:
    class Deaf:
        def hears(self, key: Key) -> bool:
            return False

        async def listen(self, key: Key) -> None: ...

        def forget(self, key: Key) -> None: ...

        def stop(self) -> None: ...

    log.notifier = Notifier(Deaf)
    async with log.watched() as seqs:
        waiting = asyncio.create_task(first(1, seqs))
        await asyncio.sleep(0.03)
        assert log.reads > 3
        log.land(1, notify=False)
        assert await waiting == [1]


async def test_many_watchers_read_less_often_each(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """WATCH-2: 1,000 quiet watchers together are a bounded load."""
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.1)
    others = [log.notifier.join(("t", f"other {number}")) for number in range(999)]
    async with log.watched() as seqs:
        waiting = asyncio.ensure_future(anext(seqs))
        await asyncio.sleep(0.5)
        assert log.reads == 1  # alone it would have been 5
        log.land(1)
        assert await waiting == 1
    for watcher in others:
        log.notifier.leave(watcher)


async def test_two_short_outages_are_not_one_long_one(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AWAY_SECONDS", 1.0)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    async with log.watched() as seqs:
        for seq in (1, 2, 3):
            log.failures = [Unavailable("away")] * 2
            log.land(seq)
            assert await anext(seqs) == seq
            await asyncio.sleep(0.6)
