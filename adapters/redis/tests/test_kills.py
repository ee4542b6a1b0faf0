"""What a server killed by SIGKILL comes back with, by its `appendfsync` (FLT-1)."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import NamedTuple

import agentkeep
import pytest
from agentkeep import Keep, NewMessage, OutcomeUnknown, Unavailable
from agentkeep_conformance.servers import REDIS, REDIS_ALWAYS, ChosenServer, NotRun

pytestmark = pytest.mark.anyio

_BATCH = 5
_WRITERS = 4
_LOADED_SECONDS = 3.0
_LAST_SECOND = 2.0
"""Redis forces the file to the disk once a second, and lets a slow disk take one more."""


class Written(NamedTuple):
    id: str
    at: float


async def write(keep: Keep, session_id: str, acknowledged: list[Written]) -> None:
    """Append batches until the server is gone; a batch is known by its first message."""
    number = 0
    while True:
        ids = [f"{number}.{part}" for part in range(_BATCH)]
        try:
            await keep.messages.append(session_id, [NewMessage(role="user", id=id) for id in ids])
        except (Unavailable, OutcomeUnknown):
            return
        acknowledged.append(Written(ids[0], monotonic()))
        number += 1


async def killed_under_load(server: ChosenServer, keep: Keep, seconds: float) -> dict[str, list[Written]]:
    """What was acknowledged before the kill, by session. The server is up again."""
    acknowledged: dict[str, list[Written]] = {f"s{number}": [] for number in range(_WRITERS)}
    for session_id in acknowledged:
        await keep.sessions.create(session_id)
    writers = [asyncio.create_task(write(keep, session_id, ids)) for session_id, ids in acknowledged.items()]
    await asyncio.sleep(seconds)
    try:
        await asyncio.to_thread(server.kill)
    except NotRun as reason:
        for writer in writers:
            writer.cancel()
        pytest.skip(f"NOT RUN: {reason}")
    await asyncio.gather(*writers)
    await asyncio.to_thread(server.restart)
    return acknowledged


async def found_whole(keep: Keep, session_id: str) -> list[str]:
    """The batches of a log, each whole, in order and once."""
    ids = [message.id async for message in keep.messages.iterate(session_id)]
    batches = ids[::_BATCH]
    assert ids == [f"{number}.{part}" for number in range(len(batches)) for part in range(_BATCH)]
    session = await keep.sessions.get(session_id)
    assert (session.message_count, session.last_seq) == (len(ids), len(ids))
    return batches


async def test_always_loses_nothing(always_dsn: str, prefix: str) -> None:
    async with agentkeep.connect(always_dsn, prefix=prefix) as keep:
        acknowledged = await killed_under_load(REDIS_ALWAYS, keep, 0.5)
        for session_id, written in acknowledged.items():
            assert written, "nothing was written"
            assert {one.id for one in written} <= set(await found_whole(keep, session_id))
        assert await keep.sessions.count() == _WRITERS


async def test_everysec_loses_the_last_second_at_most_and_no_half(dsn: str, prefix: str) -> None:
    async with agentkeep.connect(dsn, prefix=prefix) as keep:
        acknowledged = await killed_under_load(REDIS, keep, _LOADED_SECONDS)
        safe_until = max(one.at for written in acknowledged.values() for one in written) - _LAST_SECOND
        for session_id, written in acknowledged.items():
            safe = {one.id for one in written if one.at < safe_until}
            assert safe, "nothing is old enough to be safe"
            assert safe <= set(await found_whole(keep, session_id))
        assert await keep.sessions.count() == _WRITERS
