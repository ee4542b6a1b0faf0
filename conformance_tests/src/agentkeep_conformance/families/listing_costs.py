"""A page of sessions costs the same whatever is beside it: sessions that have expired, or that half match (READ-5)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import Keep

from agentkeep_conformance.clauses import needs, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.growth import Call
from agentkeep_conformance.families.ttl import expired
from agentkeep_conformance.samples import at_once, ids

_STAYING = 30
_EXPIRED = 1_200
_STEP = 300
"""Sessions that expire together: all of them are made while they live."""
_LIFE = timedelta(seconds=2)
_ROUNDS = 5
_FIELDS: dict[str, Any] = {"user_id": "u", "agent_name": "a", "metadata": {"team": "t"}}
_LABEL = _FIELDS["metadata"]

AMONG_EXPIRED: list[Call] = [
    lambda keep, number: keep.sessions.list(limit=20),
    lambda keep, number: keep.sessions.list(limit=20, order="created_at"),
    lambda keep, number: keep.sessions.list(limit=20, user_id="u"),
    lambda keep, number: keep.sessions.list(limit=20, user_id="u", status="active"),
    lambda keep, number: keep.sessions.list(limit=20, agent_name="a", metadata=_LABEL),
    lambda keep, number: keep.sessions.find_active("u"),
]


class ListingCosts:
    @proves("READ-5")
    @needs("work", "it has no account of the database's own steps")
    async def test_listings_are_no_more_steps_once_most_sessions_have_expired(self, database: Database) -> None:
        adapter = database.unopened()
        async with Keep(adapter) as keep:
            costs: list[int] = []
            await _stay(keep)
            for _ in range(2):
                await _settle(keep, AMONG_EXPIRED)
                costs.append(await database.enrolment.work(adapter, lambda: _run(keep, AMONG_EXPIRED)))
                if len(costs) == 1:
                    await _expire(keep)
            few, many = costs
            assert many <= few * 1.5 + 50, f"{few} steps among living sessions, {many} among expired ones"
            assert ids((await keep.sessions.list(limit=100)).items) == [f"s{n}" for n in reversed(range(_STAYING))]

    @proves("READ-5", "TTL-1")
    @needs("server_work", "it has no server that tells what it did")
    async def test_the_server_does_no_more_once_most_sessions_have_expired(self, database: Database) -> None:
        keep = await database.keep(**database.enrolment.one_connection)
        costs: list[int] = []
        await _stay(keep)
        for _ in range(2):
            await _settle(keep, AMONG_EXPIRED)
            before = await _told(database, keep)
            await _run(keep, AMONG_EXPIRED)
            costs.append(await _told(database, keep) - before)
            if len(costs) == 1:
                await _expire(keep)
        few, many = costs
        assert many <= few * 1.5 + 200, f"{few} among living sessions, {many} among expired ones"
        assert ids((await keep.sessions.list(limit=100)).items) == [f"s{n}" for n in reversed(range(_STAYING))]

    @proves("TTL-2", "READ-5", "SES-4")
    @pytest.mark.parametrize("again", [False, True])
    async def test_a_sweep_counts_the_expired_sessions_that_listings_passed(self, keep: Keep, again: bool) -> None:
        await _stay(keep, 3)
        await _expire(keep, 100)
        for _ in range(3):
            await _settle(keep, AMONG_EXPIRED)
        if again:
            new = await keep.sessions.create("e7", user_id="u", metadata=_LABEL)
            assert new.message_count == 0
            assert ids((await keep.sessions.list(metadata=_LABEL, limit=1)).items) == ["e7"]
        swept = await keep.sweep()
        assert swept == 100 - again or keep.capabilities.native_ttl
        assert await keep.sessions.count() == 3 + again
        assert await keep.sweep() == 0


async def _stay(keep: Keep, count: int = _STAYING) -> None:
    for number in range(count):
        await keep.sessions.create(f"s{number}", **_FIELDS)


async def _expire(keep: Keep, count: int = _EXPIRED) -> None:
    """Sessions newer than those that stay, all of them expired."""
    for start in range(0, count, _STEP):
        names = [f"e{number}" for number in range(start, min(start + _STEP, count))]
        await at_once([keep.sessions.create(name, ttl=_LIFE, **_FIELDS) for name in names])
    await expired(keep, f"e{count - 1}")
    await asyncio.sleep(0.1)  # so many were made at once that the last to expire need not have the last number


async def _settle(keep: Keep, calls: list[Call]) -> None:
    """What a change left to be done is not the calls' own cost."""
    for _ in range(_ROUNDS):
        await _run(keep, calls)
        await asyncio.sleep(0.02)


async def _run(keep: Keep, calls: list[Call]) -> None:
    for number, call in enumerate(calls):
        await call(keep, number)


async def _told(database: Database, keep: Keep) -> int:
    await asyncio.sleep(database.enrolment.server_tells_after)
    await keep.sessions.find("s0")
    return await database.enrolment.server_work(database.dsn, database.namespace)
