"""The ADR's crash table: a process is killed before each request of a call; a reader sees all of it or nothing, and a
sweep and the sessions' end leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, NamedTuple

import pytest
from agentkeep import Keep, NewMessage, View
from agentkeep_conformance.servers.opensearch import request
from agentkeep_conformance.storage.opensearch import drop_indices
from agentkeep_opensearch import OpenSearchAdapter

pytestmark = pytest.mark.anyio

_DONE = 3
"""As in `dying.py`."""
_LONG = 90
_MOST_REQUESTS = 30
_SESSIONS = ("s", "old", "copy", "fresh")
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


def _now() -> datetime:
    return datetime.now(UTC)


def _earlier() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


class Keeps(NamedTuple):
    """Of one prefix, by what their clocks say."""

    earlier: Keep
    now: Keep
    later: Keep


@pytest.fixture
async def keeps(dsn: str, prefix: str) -> AsyncIterator[Keeps]:
    def keep(clock: Callable[[], datetime]) -> Keep:
        return Keep(OpenSearchAdapter.from_url(dsn, prefix=prefix, clock=clock))

    async with keep(_earlier) as earlier, keep(_now) as now, keep(_later) as later:
        yield Keeps(earlier, now, later)
    drop_indices(dsn, prefix)


async def _furnish(keeps: Keeps, tenant: str) -> None:
    earlier, now = keeps.earlier.for_tenant(tenant), keeps.now.for_tenant(tenant)
    await earlier.sessions.create("old", ttl=60, title="old")
    await earlier.messages.append("old", [NewMessage(role="user", id=f"m{n}", content="x") for n in range(30)])
    await now.sessions.create("s", user_id="ann", title="t")
    for start in range(0, _LONG, 30):
        batch = [NewMessage(role="user", id=f"m{n}", content=f"text {n}") for n in range(start, start + 30)]
        await now.messages.append("s", batch)


@pytest.fixture(scope="module")
def dying() -> Iterator[Popen[str]]:
    program = [sys.executable, str(Path(__file__).parent / "dying.py")]
    with Popen(program, stdin=PIPE, stdout=PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


async def _run(dying: Popen[str], *arguments: object) -> int:
    assert dying.stdin is not None
    assert dying.stdout is not None
    print(json.dumps(arguments), file=dying.stdin, flush=True)
    return int(await asyncio.to_thread(dying.stdout.readline))


async def _world(view: View) -> Any:
    """What a reader sees, without the times and what is drawn at random."""
    seen: dict[str, Any] = {}
    listed = [each.id for each in (await view.sessions.list()).items]
    for session_id in _SESSIONS:
        session = await view.sessions.find(session_id)
        if session is None:
            seen[session_id] = session_id in listed
            continue
        messages = [(each.seq, each.id, each.content) async for each in view.messages.iterate(session_id)]
        fields = (session.user_id, session.title, session.parent_id, session.message_count, session.last_seq)
        seen[session_id] = (fields, messages, session_id in listed)
    return seen


async def _end_of_all(dsn: str, prefix: str, later: Keep, tenant: str) -> list[Any]:
    """Documents that are left when every session was deleted and a sweep has run."""
    view = later.for_tenant(tenant)
    for session_id in _SESSIONS:
        if await view.sessions.find(session_id) is not None:
            await view.messages.append(session_id, [NewMessage(role="user", content="last")])
    await later.sweep()
    for session_id in _SESSIONS:
        await view.sessions.delete(session_id)
    await later.sweep()
    request(dsn, "POST", f"/{prefix}-*/_refresh")
    return request(dsn, "POST", f"/{prefix}-*/_search", {"size": 20})["hits"]["hits"]


@pytest.mark.parametrize("call", _CALLS)
async def test_a_killed_process_leaves_all_or_nothing(
    dsn: str, dying: Popen[str], keeps: Keeps, call: str, prefix: str
) -> None:
    """Each kill has a tenant of its own, so that the indices are created once."""

    async def once(number: int) -> tuple[int, Any, Any, list[Any]]:
        tenant = f"killed before {number}"
        await _furnish(keeps, tenant)
        view = keeps.now.for_tenant(tenant)
        before = await _world(view)
        code = await _run(dying, dsn, prefix, tenant, call, number)
        after = await _world(view)
        return code, before, after, await _end_of_all(dsn, prefix, keeps.later, tenant)

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
