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
