"""What works in steps takes no longer step in a large database than in a small one (COST-3)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import Keep

from agentkeep_conformance.clauses import needs, needs_files, proves, takes_long
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.searching import searches
from agentkeep_conformance.families.ttl import expired
from agentkeep_conformance.samples import at_once, said

_SIZES = 2_500, 7_500
"""Sessions. Both are more than one step of a count takes."""
_REMOVED = 250, 750
_LOGS = 750, 2_250
"""Messages. Both are more than a step removes."""
_SHARED_BY = 10
"""Sessions with so many messages together: none of them has more than a step removes."""
_SOON = timedelta(seconds=0.2)
_LIFE = timedelta(seconds=4)
_UPKEEP_SECONDS = 2
_OWN_STEPS = "it has no account of its own steps"

COUNTS: dict[str, Callable[[Keep], Awaitable[Any]]] = {
    "count": lambda keep: keep.sessions.count(),
    "count of a user": lambda keep: keep.sessions.count(user_id="u"),
    "count of two filters": lambda keep: keep.sessions.count(user_id="u", metadata={"half": 1}),
}
REMOVALS: dict[str, Callable[[Keep], Awaitable[Any]]] = {
    "delete_many": lambda keep: keep.sessions.delete_many(status="active"),
    "sweep": lambda keep: keep.sweep(),
}


class BoundedSteps:
    @takes_long
    @proves("COST-3")
    @needs("longest_step", _OWN_STEPS)
    async def test_a_count_takes_no_longer_steps_among_many(self, database: Database) -> None:
        adapter = database.unopened()
        longest: dict[str, list[int]] = {name: [] for name in COUNTS}
        async with Keep(adapter) as keep:
            have = 0
            for want in _SIZES:
                await at_once([_create(keep, number) for number in range(have, want)])
                have = want
                found = [await count(keep) for count in COUNTS.values()]
                assert found == [want, want, want // 2]
                for name, count in COUNTS.items():
                    longest[name].append(await database.enrolment.longest_step(adapter, lambda call=count: call(keep)))
        for name, steps in longest.items():
            _check(name, steps)

    @takes_long
    @proves("COST-3", "SRCH-1")
    @needs("longest_step", _OWN_STEPS)
    async def test_search_upkeep_takes_no_longer_steps_after_a_large_import(self, database: Database) -> None:
        """The steps in which an index takes in what is new, and in which a sweep clears it of what was removed."""
        adapter = database.unopened()
        steps: dict[str, list[int]] = {"indexing": [], "clearing": []}
        async with Keep(adapter) as keep:
            if not await searches(database, keep):
                return
            await keep.sessions.create("short")
            await keep.messages.append("short", [said("a short log")])
            for turn, count in enumerate(_SIZES):
                await _import(keep, f"log{turn}", count)
                steps["indexing"].append(await database.enrolment.longest_step(adapter, lambda: _search(keep)))
                await keep.messages.truncate(f"log{turn}", after_seq=count - 100)
                steps["clearing"].append(await database.enrolment.longest_step(adapter, keep.sweep))
        for name, longest in steps.items():
            _check(name, longest)

    @takes_long
    @proves("COST-3")
    @needs("longest_step", _OWN_STEPS)
    @pytest.mark.parametrize("verb", ["delete_many", "sweep"])
    async def test_a_removal_takes_no_longer_steps_if_it_removes_more(self, database: Database, verb: str) -> None:
        adapter = database.unopened()
        longest: list[int] = []
        async with Keep(adapter) as keep:
            for count in _REMOVED:
                ttl = _LIFE if verb == "sweep" else None
                await at_once([_create(keep, number, ttl=ttl, messages=3) for number in range(count)])
                if verb == "sweep":
                    await expired(keep, f"s{count - 1}")
                    await expired(keep, "s0")
                # Some adapters bring their index up to date in the next call, by a bound of its own.
                await keep.sessions.count()

                async def remove() -> None:
                    await (keep.sweep() if verb == "sweep" else keep.sessions.delete_many(user_id="u"))

                longest.append(await database.enrolment.longest_step(adapter, remove))
                assert await keep.sessions.count() == 0
        _check(verb, longest)

    @takes_long
    @proves("COST-3")
    @needs("longest_step", _OWN_STEPS)
    @needs_files
    @pytest.mark.parametrize("sessions", [1, _SHARED_BY])
    @pytest.mark.parametrize("verb", REMOVALS)
    async def test_a_removal_takes_no_longer_steps_if_logs_are_longer(
        self, database: Database, verb: str, sessions: int
    ) -> None:
        """A file has one writer at a time, so that writers of other sessions wait for a step of the removal."""
        adapter = database.unopened()
        longest: list[int] = []
        async with Keep(adapter) as keep:
            for count in _LOGS:
                names = [f"log{number}" for number in range(sessions)]
                for name in names:
                    await _import(keep, name, count // sessions)
                if verb == "sweep":
                    for name in names:
                        await keep.sessions.update(name, ttl=_SOON)
                    await expired(keep, names[-1])
                longest.append(await database.enrolment.longest_step(adapter, lambda: REMOVALS[verb](keep)))
                assert await keep.sessions.count() == 0
        _check(verb, longest)


def _check(name: str, longest: list[int]) -> None:
    few, many = longest
    assert many <= few * 1.5 + 500, f"{name}: the longest step does {few} of a little work, {many} of a lot"


async def _create(keep: Keep, number: int, *, ttl: timedelta | None = None, messages: int = 0) -> None:
    name = f"s{number}"
    await keep.sessions.create(name, user_id="u", metadata={"half": number % 2}, ttl=ttl)
    if messages:
        await keep.messages.append(name, [said(f"{name} says {part}") for part in range(messages)])


async def _import(keep: Keep, session_id: str, count: int) -> None:
    await keep.sessions.create(session_id)
    for start in range(0, count, 500):
        batch = [said(f"{session_id} says {number} and more") for number in range(start, min(start + 500, count))]
        await keep.messages.append(session_id, batch)


async def _search(keep: Keep) -> None:
    """A search in a short session, and what it leaves to be done."""
    assert len(await keep.messages.search("short", session_id="short")) == 1
    await asyncio.sleep(_UPKEEP_SECONDS)
