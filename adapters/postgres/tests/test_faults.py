"""Servers that die."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from agentkeep import Keep, NewMessage
from agentkeep.errors import OutcomeUnknown, Unavailable
from agentkeep_conformance.servers import POSTGRES

if TYPE_CHECKING:
    from .conftest import Database

pytestmark = pytest.mark.anyio


async def test_a_killed_server_loses_nothing_acknowledged(database: Database) -> None:
    """FLT-1, FLT-2: SIGKILL under load, restart, and no restart of ours."""
    acknowledged: dict[str, int] = {}

    async with database.keep(connect_timeout=2, timeout=10) as keep:
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


async def test_a_watch_outlives_its_server(database: Database) -> None:
    """WATCH-1, FLT-2: away for longer than a watcher's look at the log; then each message once, in order."""
    async with database.keep(connect_timeout=2, timeout=10) as keep, asyncio.timeout(120):
        session = await keep.sessions.create()
        await keep.messages.append(session.id, [NewMessage(role="user")])
        watch = keep.messages.watch(session.id, after_seq=0)
        assert (await anext(watch)).seq == 1
        waiting = asyncio.ensure_future(anext(watch))
        await asyncio.to_thread(POSTGRES.kill)
        await asyncio.sleep(3)
        ended = waiting.done()
        await asyncio.to_thread(POSTGRES.restart)
        assert not ended, waiting.exception()
        await _append_when_it_is_back(keep, session.id)
        assert [(await waiting).seq, (await anext(watch)).seq] == [2, 3]
        await watch.aclose()


async def _append_when_it_is_back(keep: Keep, session_id: str) -> None:
    batch = [NewMessage(role="user", id=f"{number}") for number in range(2)]
    while True:
        try:
            await keep.messages.append(session_id, batch)
        except (Unavailable, OutcomeUnknown):
            await asyncio.sleep(0.1)
        else:
            return


async def test_a_watch_gives_a_server_up_in_the_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """WATCH-1, ERR-1."""
    monkeypatch.setattr("agentkeep.spi.watch.AWAY_SECONDS", 0.5)
    async with database.keep(connect_timeout=2) as keep:
        session = await keep.sessions.create()
        await keep.messages.append(session.id, [NewMessage(role="user")])
        watch = keep.messages.watch(session.id, after_seq=0)
        assert (await anext(watch)).seq == 1
        await asyncio.to_thread(POSTGRES.kill)
        try:
            with pytest.raises(Unavailable):
                await asyncio.wait_for(anext(watch), 60)
        finally:
            await asyncio.to_thread(POSTGRES.restart)
        await watch.aclose()


@pytest.mark.parametrize("failure", [Unavailable, OutcomeUnknown])
async def test_a_watch_that_could_not_ask_for_notifications_polls(
    database: Database, monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    """WATCH-1: a notification only saves waiting."""

    async def fail(*_: object, **__: object) -> None:
        raise failure("no")

    async with database.keep() as writer, database.keep() as keep, asyncio.timeout(60):
        session = await writer.sessions.create()
        await writer.messages.append(session.id, [NewMessage(role="user")])
        watch = keep.messages.watch(session.id, after_seq=0)
        with monkeypatch.context() as patch:
            patch.setattr("agentkeep_postgres.client.Client.write", fail)
            assert (await anext(watch)).seq == 1
        await writer.messages.append(session.id, [NewMessage(role="user")])
        assert (await anext(watch)).seq == 2
        await watch.aclose()


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
