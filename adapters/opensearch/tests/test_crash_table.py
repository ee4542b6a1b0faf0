"""The ADR's crash table: a process is killed before each request of a call; a reader sees all of it or nothing, and a
sweep and the sessions' end leave nothing behind."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from agentkeep import Keep, NewMessage
from agentkeep_conformance.servers.opensearch import request
from agentkeep_conformance.storage.opensearch import drop_indices
from agentkeep_opensearch import OpenSearchAdapter

pytestmark = pytest.mark.anyio

_DONE = 3
"""As in `dying.py`."""
_LONG = 90
_MOST_REQUESTS = 30
_CALLS = (
    "append",
    "append to a new session",
    "rewind",
    "trim",
    "pop",
    "redaction",
    "another user",
    "short fork",
    "long fork",
    "delete",
    "create over an expired one",
)


def _later() -> datetime:
    """When nothing is held back any more."""
    return datetime.now(UTC) + timedelta(minutes=3)


def _earlier() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


async def _furnish(dsn: str, prefix: str) -> None:
    async with Keep(OpenSearchAdapter.from_url(dsn, prefix=prefix, clock=_earlier)) as keep:
        await keep.sessions.create("old", ttl=60, title="old")
        await keep.messages.append("old", [NewMessage(role="user", id=f"m{n}", content="x") for n in range(30)])
    async with Keep(OpenSearchAdapter.from_url(dsn, prefix=prefix)) as keep:
        await keep.sessions.create("s", user_id="ann", title="t")
        for start in range(0, _LONG, 30):
            batch = [NewMessage(role="user", id=f"m{n}", content=f"text {n}") for n in range(start, start + 30)]
            await keep.messages.append("s", batch)


async def _run(dsn: str, prefix: str, call: str, number: int) -> int:
    program = [sys.executable, str(Path(__file__).parent / "dying.py"), dsn, prefix, call, str(number)]
    process = await asyncio.create_subprocess_exec(*program)
    return await process.wait()


async def _world(dsn: str, prefix: str) -> Any:
    """What a reader sees, without the times and what is drawn at random."""
    async with Keep(OpenSearchAdapter.from_url(dsn, prefix=prefix)) as keep:
        seen: dict[str, Any] = {}
        for session_id in ("s", "old", "copy", "fresh"):
            session = await keep.sessions.find(session_id)
            if session is None:
                seen[session_id] = None
                continue
            messages = [(each.seq, each.id, each.content) async for each in keep.messages.iterate(session_id)]
            listed = [each.id for each in (await keep.sessions.list()).items]
            fields = (session.user_id, session.title, session.parent_id, session.message_count, session.last_seq)
            seen[session_id] = (fields, messages, session_id in listed)
        return seen


async def _end_of_all(dsn: str, prefix: str) -> list[Any]:
    """Documents that are left when every session was deleted and a sweep has run."""
    adapter = OpenSearchAdapter.from_url(dsn, prefix=prefix, clock=_later)
    async with Keep(adapter) as keep:
        for session_id in ("s", "old", "copy", "fresh"):
            if await keep.sessions.find(session_id) is not None:
                await keep.messages.append(session_id, [NewMessage(role="user", content="last")])
        await keep.sweep()
        for session_id in ("s", "old", "copy", "fresh"):
            await keep.sessions.delete(session_id)
        await keep.sweep()
    request(dsn, "POST", f"/{prefix}-*/_refresh")
    return request(dsn, "POST", f"/{prefix}-*/_search", {"size": 20})["hits"]["hits"]


@pytest.mark.parametrize("call", _CALLS)
async def test_a_killed_process_leaves_all_or_nothing(dsn: str, call: str, prefix: str) -> None:
    async def once(number: int) -> tuple[int, Any, Any, list[Any]]:
        own = f"{prefix}_{number}"
        await _furnish(dsn, own)
        before = await _world(dsn, own)
        code = await _run(dsn, own, call, number)
        try:
            return code, before, await _world(dsn, own), await _end_of_all(dsn, own)
        finally:
            drop_indices(dsn, own)

    code, before, after, left = await once(_MOST_REQUESTS)
    assert code == _DONE
    assert before != after
    assert left == []
    seen: list[str] = []
    for number in range(1, _MOST_REQUESTS):
        code, before, now, left = await once(number)
        assert now in (before, after), f"killed before request {number}"
        assert left == [], f"killed before request {number}"
        seen.append("after" if now == after else "before")
        if code == _DONE:
            break
        assert code == -signal.SIGKILL
    assert seen == sorted(seen, key=["before", "after"].index)
    assert {"before", "after"} <= set(seen)
