"""Living sessions beside expired ones that no sweep removed: all reads see the living alone (TTL-1)."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from agentkeep import Keep, Session, View
from agentkeep.records import Scope

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.after_writes import FIELDS, FILTERS
from agentkeep_conformance.families.ttl import SHORT, expired, filled_in_time
from agentkeep_conformance.samples import everything, ids, said, until

_LIVING = ["s1", "s4", "s5", "s8"]
_A_MOMENT, _TRIES = timedelta(microseconds=1), 100
_ALL = [f"s{number}" for number in range(10)]


async def _store(keep: View, end: str) -> None:
    """Ten sessions, of which four live on."""

    async def fill(name: str, life: timedelta) -> None:
        limit: dict[str, Any] = {"idle_ttl" if end == "idle" else "ttl": life}
        await keep.sessions.create(name, **FIELDS, **limit)
        await keep.messages.append(name, [said("aardvark", id="m")])

    for name in _ALL:
        if end == "touch" or name in _LIVING:
            await fill(name, timedelta(hours=1))
        else:
            await filled_in_time(partial(fill, name))
        if end == "touch" and name not in _LIVING:
            await keep.sessions.touch(name, ttl=SHORT)


class BesideExpired:
    @proves("TTL-1", "READ-1", "READ-2", "READ-5", "ORD-5")
    @pytest.mark.parametrize("end", ["ttl", "idle", "touch"])
    async def test_expired_sessions_are_in_no_page_count_or_search(self, keep: Keep, twin: Keep, end: str) -> None:
        await _store(keep, end)

        async def ended() -> bool:
            return set(await keep.sessions.get_many(_ALL)) == set(_LIVING)

        await until(ended, "six sessions have expired")
        middle = await twin.sessions.get("s4")
        for name, filters in FILTERS.items():
            for order in ("updated_at", "created_at"):
                assert ids(await _in_pages(twin, order=order, **filters)) == _LIVING, name
                assert ids(await _in_pages(twin, order=f"-{order}", **filters)) == _LIVING[::-1], name
            assert await twin.sessions.count(**filters) == 4, name
            assert await twin.sessions.count(updated_after=middle.updated_at, **filters) == 2, name
            assert await twin.sessions.count(updated_before=middle.updated_at, **filters) == 1, name
            if filters:
                assert await twin.sessions.delete_many(dry_run=True, **filters) == 4, name
        active = await twin.sessions.find_active("u")
        assert active is not None
        assert active.id == "s8"
        if keep.capabilities.search:
            for filters in ({}, {"user_id": "u"}, {"agent_name": "a"}, {"role": "user"}):
                hits = await twin.messages.search("aardvark", limit=4, **filters)
                assert sorted(hit.message.session_id for hit in hits) == _LIVING
        assert await keep.sessions.delete_many(user_id="u") == 4
        assert await everything(twin.sessions.iterate()) == []

    @proves("TTL-2")
    async def test_a_sweep_that_stopped_at_its_limit_narrows_no_later_one(self, keep: Keep) -> None:
        """An adapter may remember which tenants a sweep has left."""

        async def expire(name: str, *tenants: str) -> None:
            views = [keep.for_tenant(tenant) for tenant in tenants]
            for view in views:
                await view.sessions.create(name, ttl=SHORT)
            for view in views:
                await expired(view, name)

        await expire("s", "a", "b")
        assert await keep.sweep(limit=1) == 1
        await expire("t", "a", "b", "c")
        assert await keep.sweep() == 4
        assert await keep.sweep() == 0

    @proves("TTL-1", "TTL-3", "ERR-4")
    async def test_who_lets_a_session_end_at_once_is_answered_all_the_same(
        self, database: Database, keep: Keep
    ) -> None:
        """The end may come while the server is still at it. Core takes a millisecond at least, which is over as soon on
        a busy machine: so here the repository itself is given a microsecond.
        """
        sessions = (await database.adapter()).sessions
        for number in range(_TRIES):
            name = f"s{number}"
            await keep.sessions.create(name, title="t")
            record = await sessions.touch(Scope("default"), name, ttl=_A_MOMENT)
            assert (record.id, record.title, record.expires_at) == (name, "t", record.updated_at + _A_MOMENT)
            await expired(keep, name)


async def _in_pages(keep: View, **query: Any) -> list[Session]:
    """Pages of two; the last of four sessions is on the second, which says that there is no more."""
    first = await keep.sessions.list(limit=2, **query)
    assert (len(first.items), first.has_more) == (2, True)
    second = await keep.sessions.list(limit=2, cursor=first.next_cursor, **query)
    assert (len(second.items), second.has_more, second.next_cursor) == (2, False, None)
    return [*first.items, *second.items]
