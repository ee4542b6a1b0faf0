"""The crash table of ADR 10: a process is killed with SIGKILL before each statement of a call (FLT-1, ORD-6)."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from agentkeep import Keep, NewMessage, SessionNotFound
from agentkeep_conformance.outcomes import TIER
from agentkeep_conformance.storage.mongo import client_of
from agentkeep_mongo import MongoAdapter
from agentkeep_mongo import sweep as sweeping

from .dying import CALLS, LARGE, said

pytestmark = pytest.mark.anyio

_DYING = Path(__file__).parent / "dying.py"
_EVERYDAY_STEP = 3
"""Each kill costs a process and collections of its own (2 seconds). So the everyday tier kills before the first
statement and each third one after it, which are still two of the shortest call; the nightly tier before every one."""


@pytest.fixture
def step(request: pytest.FixtureRequest) -> int:
    return 1 if request.config.stash[TIER] == "nightly" else _EVERYDAY_STEP


async def furnish(keep: Keep) -> None:
    """A session of moved and of pending messages, and an expired one."""
    messages = [NewMessage(role="user", id=f"m{number}", content=f"message {number}") for number in range(1, 606)]
    await keep.sessions.create("s", user_id="ann")
    await keep.messages.append("s", messages[:600])  # so many are moved at once
    for message in messages[600:]:
        await keep.messages.append("s", [message])
    await keep.messages.append("old", [NewMessage(role="user", content="of the earlier life")], create={"ttl": 0.5})
    await asyncio.sleep(1)


async def world(keep: Keep) -> dict[str, Any]:
    """All that callers can see of the three sessions, times and versions left out."""
    seen: dict[str, Any] = {}
    for session_id in ("s", "copy", "old"):
        with suppress(SessionNotFound):
            log = [(each.seq, each.id, each.content) async for each in keep.messages.iterate(session_id)]
            session = await keep.sessions.get(session_id)
            assert session.message_count == len(log)
            assert session.last_seq >= (log[-1][0] if log else 0)
            ids = [f"m{number}" for number in (1, 300, 599, 601, 605)]
            by_id = sorted(await keep.messages.get_many(session_id, ids))
            assert by_id == sorted({id for _, id, _ in log} & {*ids}), "a read by id finds what the log has"
            seen[session_id] = (log, session.last_seq, session.user_id)
    return seen


async def check_search(keep: Keep, seen: dict[str, Any]) -> None:
    """A search for the session's user finds what the log has."""
    for session_id, (log, _, user) in seen.items():
        found = await keep.messages.search("300", session_id=session_id, user_id=user)
        assert [each.message.id for each in found] == [id for _, id, text in log if text == "message 300"]


async def die(dsn: str, prefix: str, call: str, number: int) -> bool:
    """Whether the process was killed; if not, the call has no n-th statement."""
    process = await asyncio.create_subprocess_exec(sys.executable, str(_DYING), dsn, prefix, call, str(number))
    code = await process.wait()
    assert code in (0, -signal.SIGKILL)
    return code != 0


async def leftovers(dsn: str, prefix: str) -> list[str]:
    """What a full look finds that no session admits."""
    found: list[str] = []
    async with client_of(dsn) as client:
        database = client["agentkeep"]
        sessions = {each["life"]: each async for each in database[f"{prefix}_sessions"].find()}
        for name in ("messages", "search"):
            async for each in database[f"{prefix}_{name}"].find({}, {"_id": 1, "e": 1}):
                session = sessions.get(each["_id"]["l"])
                if session is None or not _is_admitted(each, session):
                    found.append(f"{name} {each['_id']}")
        found += [f"staged {each['_id']}" async for each in database[f"{prefix}_staged"].find()]
    return found


def _is_admitted(each: Any, session: Any) -> bool:
    seq, is_moving = each["_id"]["q"], session.get("move", {}).get("upto", 0)
    in_segment = any(each["e"] == epoch and seq <= to for epoch, to in session["segments"])
    # inserted by a mover that has not completed: the next mover inserts the same
    return seq > session["floor"] and (in_segment or session["moved"] < seq <= is_moving)


@pytest.mark.parametrize("call", CALLS)
async def test_a_killed_process_leaves_all_of_a_call_or_nothing(
    dsn: str, prefix: str, call: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_STAGED_FOR", timedelta(0))
    allowed: list[dict[str, Any]] = []
    kills = 0
    for number in count(1, step):
        name = f"{prefix}{number}"
        async with Keep(MongoAdapter.from_url(dsn, prefix=name)) as keep:
            await furnish(keep)
            allowed = allowed or [await world(keep)]
            was_killed = await die(dsn, name, call, number)
            kills += was_killed
            seen = await world(keep)
            allowed = allowed if seen in allowed else [*allowed, seen]
            assert len(allowed) <= 2, f"killed before statement {number}, readers see neither before nor after"
            await keep.sweep()
            assert await world(keep) == seen, f"statement {number}: a sweep changes nothing that anybody sees"
            assert await leftovers(dsn, name) == [], f"statement {number}"
            await check_search(keep, seen)
        if not was_killed:
            break
    assert kills > 1
    assert len(allowed) == 2, "the whole call has an effect"


async def test_a_repeated_call_after_each_crash_lands_once(dsn: str, prefix: str, step: int) -> None:
    kills = 0
    for number in count(1, step):
        name = f"{prefix}{number}"
        async with Keep(MongoAdapter.from_url(dsn, prefix=name)) as keep:
            await keep.sessions.create("s")
            was_killed = await die(dsn, name, "large append", number)
            kills += was_killed
            await keep.messages.append("s", said(2, LARGE))
            assert [each.seq async for each in keep.messages.iterate("s")] == [1, 2]
        if not was_killed:
            break
    assert kills > 1
