"""A page of sessions costs the same whatever is beside it: sessions that have expired, or that half match (READ-5)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import Keep

from agentkeep_conformance.clauses import needs, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.ttl import expired
from agentkeep_conformance.growth_verbs import Call
from agentkeep_conformance.samples import at_once, ids

_STAYING = 30
_EXPIRED = 1_200
_STEP = 300
"""Sessions that expire together: all of them are made while they live."""
_LIFE = timedelta(seconds=2)
_ROUNDS = 5
_PATIENCE = 8
"""Times that a server may do more. As long as anybody holds an older snapshot, for example an ANALYZE of PostgreSQL's
autovacuum, each call passes the rows that a change before it left; it learns with a next write that nobody does."""
_CROWDS = 300, 1_200
"""Sessions that a common filter matches. Both are more than an adapter need count to call a filter common."""
_SELECTIVE = 60
_FIELDS: dict[str, Any] = {"user_id": "u", "agent_name": "a", "metadata": {"team": "t"}}
_LABEL = _FIELDS["metadata"]

Filter = dict[str, Any]

AMONG_EXPIRED: list[Call] = [
    lambda keep, number: keep.sessions.list(limit=20),
    lambda keep, number: keep.sessions.list(limit=20, order="created_at"),
    lambda keep, number: keep.sessions.list(limit=20, user_id="u"),
    lambda keep, number: keep.sessions.list(limit=20, user_id="u", status="active"),
    lambda keep, number: keep.sessions.list(limit=20, agent_name="a", metadata=_LABEL),
    lambda keep, number: keep.sessions.find_active("u"),
]

COMMON: dict[str, Filter] = {
    "user": {"user_id": "u"},
    "agent": {"agent_name": "a"},
    "status": {"status": "active"},
    "label": {"metadata": {"team": "t"}},
    "other label": {"metadata": {"city": "c"}},
}
SELECTIVE: dict[str, Filter] = {
    "user": {"user_id": "v"},
    "agent": {"agent_name": "b"},
    "status": {"status": "completed"},
    "label": {"metadata": {"team": "v"}},
    "other label": {"metadata": {"city": "d"}},
}


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
        await _stay(keep)
        await _settle(keep, AMONG_EXPIRED)
        few = await _done_by_server(database, keep)
        await _expire(keep)
        most = few * 1.5 + 200
        later = await database.keep(**database.enrolment.one_connection)  # its connection plans at this size
        await _settle(later, AMONG_EXPIRED)
        many = await _done_by_server(database, later)
        for _ in range(_PATIENCE):
            if many <= most:
                break
            await later.sessions.create("other", user_id="other")
            await later.sessions.delete("other")
            many = await _done_by_server(database, later)
        assert many <= most, f"{few} among living sessions, {many} among expired ones"
        assert ids((await keep.sessions.list(limit=100)).items) == [f"s{n}" for n in reversed(range(_STAYING))]

    @proves("READ-5")
    @needs("work", "it has no account of the database's own steps")
    async def test_a_pair_is_no_more_steps_once_its_common_filter_has_grown(self, database: Database) -> None:
        """The other filter matches few and old sessions, of which one in thirty matches both."""
        adapter = database.unopened()
        async with Keep(adapter) as keep:
            costs: dict[str, list[int]] = {kind: [] for kind in COMMON}
            await _make_selective(keep)
            for have, want in zip((0, *_CROWDS), _CROWDS, strict=False):
                await _make_crowd(keep, have, want)
                for kind in COMMON:
                    await _list_pairs(keep, kind)
                    costs[kind].append(
                        await database.enrolment.work(adapter, lambda kind=kind: _list_pairs(keep, kind))
                    )
        for kind, (few, many) in costs.items():
            assert many <= few * 1.2 + 200, f"{kind}: {few} steps if it is less common, {many} if it is more"

    @proves("READ-5")
    @needs("server_work", "it has no server that tells what it did")
    async def test_the_server_does_no_more_for_a_pair_once_its_common_filter_has_grown(
        self, database: Database
    ) -> None:
        keep = await database.keep(**database.enrolment.one_connection)
        costs: dict[str, list[int]] = {kind: [] for kind in COMMON}
        await _make_selective(keep)
        for have, want in zip((0, *_CROWDS), _CROWDS, strict=False):
            await _make_crowd(keep, have, want)
            before = await database.server_work(keep)
            for kind in COMMON:
                await _list_pairs(keep, kind)
                after = await database.server_work(keep)
                costs[kind].append(after - before)
                before = after
        for kind, (few, many) in costs.items():
            assert many <= few * 1.2 + 200, f"{kind}: {few} if it is less common, {many} if it is more"

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


async def _make_selective(keep: Keep) -> None:
    """Sessions that each selective filter matches alone, and five for each that match all common filters but one."""
    for number in range(_SELECTIVE):
        await _make(keep, f"few{number}", *SELECTIVE.values())
    for kind, chosen in SELECTIVE.items():
        others = [COMMON[other] for other in COMMON if other != kind]
        for number in range(5):
            await _make(keep, f"{kind} {number}", chosen, *others)


async def _make_crowd(keep: Keep, have: int, want: int) -> None:
    await at_once([_make(keep, f"s{number}", *COMMON.values()) for number in range(have, want)])


async def _make(keep: Keep, name: str, *filters: Filter) -> None:
    fields = _joined(*filters)
    status = fields.pop("status")
    await keep.sessions.create(name, **fields)
    if status != "active":
        await keep.sessions.update(name, status=status)


async def _list_pairs(keep: Keep, kind: str) -> None:
    """A page of the common filter with each selective one."""
    for other, chosen in SELECTIVE.items():
        if other != kind:
            page = await keep.sessions.list(limit=20, **_joined(COMMON[kind], chosen))
            assert len(page.items) == 5


def _joined(*filters: Filter) -> Filter:
    """All of these filters. Their metadata is one filter."""
    metadata = {name: value for one in filters for name, value in one.get("metadata", {}).items()}
    fields = {name: value for one in filters for name, value in one.items() if name != "metadata"}
    return fields | ({"metadata": metadata} if metadata else {})


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


async def _done_by_server(database: Database, keep: Keep) -> int:
    """Of one run."""
    before = await database.server_work(keep)
    await _run(keep, AMONG_EXPIRED)
    return await database.server_work(keep) - before
