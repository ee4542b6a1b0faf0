"""Verbs that work in steps: bounded, in turns with others, and a failure says how far they came (COST-3, ERR-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import Keep, OutcomeUnknown, Unavailable
from agentkeep.keep import View
from agentkeep.records import Scope, SessionQuery

from agentkeep_conformance.clauses import needs_wire, proves, takes_long
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.families.faults import bench_of, error_of
from agentkeep_conformance.families.ttl import expired
from agentkeep_conformance.proxy import Fault
from agentkeep_conformance.samples import at_once, numbered, said
from agentkeep_conformance.small_steps import small_steps

_STEP = 100
"""The most sessions that core asks an adapter to remove in one step."""
_MANY = 130
"""More than one step."""
_LIFE = timedelta(milliseconds=700)

REMOVALS: dict[str, Callable[[View], Awaitable[int]]] = {
    "delete_many": lambda keep: keep.sessions.delete_many(metadata={"k": 1}),
    "delete_user": lambda keep: keep.sessions.delete_user("u"),
    "sweep": lambda keep: keep.sweep(),
}


def _life(verb: str) -> timedelta | None:
    return _LIFE if verb == "sweep" else None


async def _furnish(keep: View, count: int, verb: str) -> None:
    """So many sessions for the verb to remove, and one that stays."""
    names = [f"s{number}" for number in range(count)]
    made = await at_once(
        [keep.sessions.create(name, user_id="u", metadata={"k": 1}, ttl=_life(verb)) for name in names]
    )
    await keep.sessions.create("stays", user_id="other")
    await keep.messages.append("stays", numbered(3))
    if verb == "sweep":  # they were made side by side: which one ends last is known by its end alone
        await expired(keep, max(made, key=lambda session: session.expires_at or session.created_at).id)


_SOME: dict[str, Callable[[View], Awaitable[int]]] = {
    "delete_many": lambda keep: keep.sessions.delete_many(metadata={"first": True}),
    "delete_user": lambda keep: keep.sessions.delete_many(metadata={"first": True}),
    "sweep": lambda keep: keep.sweep(12),
}
"""Removes some of the sessions that the verb would remove, those that it meets first."""


async def _left(keep: View, verb: str) -> int:
    """How many are left of what the verb is to remove; a sweep's are removed by this."""
    return await (keep.sweep() if verb == "sweep" else keep.sessions.count(user_id="u"))


class Steps:
    @proves("COST-3")
    @pytest.mark.parametrize("verb", ["delete_many", "sweep"])
    async def test_a_step_removes_no_more_than_it_is_asked_for(self, database: Database, keep: Keep, verb: str) -> None:
        adapter = await database.adapter()
        await _furnish(keep, 12, verb)
        scope = Scope("default")

        async def step(limit: int) -> int:
            if verb == "sweep":
                return await adapter.sweep(scope, limit=limit)
            return await adapter.sessions.delete_many(scope, SessionQuery(user_id="u"), limit=limit)

        if verb == "sweep" and keep.capabilities.native_ttl:
            assert await step(5) <= 5
            return
        removed = [await step(limit) for limit in (5, 1, 3, 100, 5)]
        assert removed == [5, 1, 3, 3, 0]
        assert [session.id for session in (await keep.sessions.list()).items] == ["stays"]

    @proves("COST-3", "SES-6", "TTL-2")
    @pytest.mark.parametrize("verb", REMOVALS)
    async def test_who_removes_beside_another_leaves_nothing(
        self, database: Database, keep: Keep, twin: Keep, verb: str
    ) -> None:
        """The other takes a part of the same sessions, and a step may find that it was first with some of them."""
        for _ in range(rounds_of(database, 3, nightly=30)):
            for number in range(12):
                first = {"k": 1, "first": True}
                await keep.sessions.create(f"f{number}", user_id="u", metadata=first, ttl=_life(verb))
            await _furnish(keep, 28, verb)
            with small_steps({}):
                removed = await asyncio.gather(_SOME[verb](keep), REMOVALS[verb](twin))
            assert sum(removed) == 40 or (verb == "sweep" and keep.capabilities.native_ttl)
            assert await _left(keep, verb) == 0
            await keep.sessions.delete("stays")

    @takes_long
    @proves("COST-3", "ORD-4")
    @pytest.mark.parametrize("through", ["same", "other"])
    @pytest.mark.parametrize("verb", REMOVALS)
    async def test_others_write_between_the_steps(self, keep: Keep, twin: Keep, verb: str, through: str) -> None:
        """While many sessions go, calls on other sessions get their turn, through the same instance or another.

        One of the two at a time: an embedded database's lock is not fair to an instance beside one that never pauses.
        """
        count = 6 * _STEP
        await _furnish(keep, count, verb)
        done = asyncio.Event()
        written: list[int] = []

        async def write(instance: Keep) -> None:
            while not done.is_set():
                written.append((await instance.messages.append("stays", [said()]))[0].seq)
                await asyncio.sleep(0)

        writer = asyncio.create_task(write(keep if through == "same" else twin))
        await asyncio.sleep(0.05)
        before = len(written)
        removed = await REMOVALS[verb](keep)
        during = len(written) - before
        done.set()
        await writer
        assert removed == count or (verb == "sweep" and keep.capabilities.native_ttl)
        assert await _left(keep, verb) == 0
        if removed == count:
            assert during >= 2, f"{during} appends landed while {removed} sessions went"
        assert written == list(range(4, 4 + len(written)))

    @takes_long
    @proves("ERR-2", "COST-3", "FLT-2")
    @needs_wire
    @pytest.mark.parametrize("verb", ["delete_many", "sweep"])
    async def test_a_cut_between_steps_says_how_many_sessions_are_gone(self, database: Database, verb: str) -> None:
        """Once a step has removed some, the error is `OutcomeUnknown`, and `done` is what is known to be gone."""
        async with bench_of(database) as bench:
            trips = await self._round_trips(bench, verb)
            for nth in sorted({1, 2, trips}):
                for fault in (Fault.CUT_BEFORE_SEND, Fault.CUT_BEFORE_REPLY):
                    victim, witness = await self._with_many(bench, verb)
                    plan = bench.proxy.arm(fault, nth=nth, then_refuse=True)
                    error = await error_of(REMOVALS[verb](victim))
                    bench.proxy.restore()
                    if not plan.struck.is_set():
                        assert error is None
                        continue
                    left = await _left(witness, verb)
                    self._check(error, removed=_MANY - left, native=verb == "sweep" and witness.capabilities.native_ttl)
                    assert (await witness.sessions.get("stays")).message_count == 3
                    await error_of(REMOVALS[verb](victim))
                    assert await _left(witness, verb) == 0

    async def _with_many(self, bench: Any, verb: str) -> tuple[View, View]:
        victim, witness = await bench.furnished()
        for session_id in ("s", "t", "x"):
            await witness.sessions.delete(session_id)
        await _furnish(witness, _MANY, verb)
        return victim, witness

    async def _round_trips(self, bench: Any, verb: str) -> int:
        victim, _ = await self._with_many(bench, verb)
        bench.proxy.reset()
        await REMOVALS[verb](victim)
        return bench.proxy.traffic.round_trips

    def _check(self, error: Any, *, removed: int, native: bool) -> None:
        assert isinstance(error, Unavailable | OutcomeUnknown), f"{error!r}"
        if native:
            return
        if isinstance(error, Unavailable):
            assert removed == 0, f"{error!r} says that nothing was written, and {removed} sessions are gone"
        else:
            assert error.done <= removed <= error.done + _STEP, f"{removed} sessions are gone: {error!r}"
