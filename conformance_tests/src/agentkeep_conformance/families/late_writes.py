"""A write that is held on its way to the server until its session was removed: it finds nothing, and leaves nothing.

A database that takes several steps may have done some. `held_commits` asks the same about sessions that expire.
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from agentkeep import Keep

from agentkeep_conformance.clauses import needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.faults import bench_of, error_of, struck_or_done
from agentkeep_conformance.families.unfinished import NEVER, REMOVALS, WRITES, removals_of, store
from agentkeep_conformance.leftovers import Traces
from agentkeep_conformance.proxy import Fault
from agentkeep_conformance.racing import all_of
from agentkeep_conformance.small_steps import small_steps

_LONG_ENOUGH = 2.0
"""Seconds that a removal gets while the write is held. One that waits for the write waits longer."""


class LateWrites:
    @proves("SES-4", "SES-6", "TTL-2")
    @needs_wire
    @pytest.mark.parametrize("name", WRITES)
    async def test_a_write_that_arrives_after_its_session_went_leaves_nothing(
        self, database: Database, name: str
    ) -> None:
        late = _WritesOnTheWay(database, await database.keep())
        for _, removal in removals_of(database, name):
            await late.at_each_round_trip(name, removal)
        await late.traces.leave_nothing()


class _WritesOnTheWay:
    def __init__(self, database: Database, witness: Keep) -> None:
        self._database = database
        self._witness = witness
        self.traces = Traces(database, witness)

    async def at_each_round_trip(self, name: str, removal: str) -> None:
        """Each in a bench of its own, all at the same time: the calls mostly wait."""
        with small_steps(self._database.enrolment.small_steps):
            trips = await self._hold(name, NEVER, removal)
            await all_of(self._hold(name, nth, removal) for nth in range(1, trips + 1))

    async def _hold(self, name: str, nth: int, removal: str) -> int:
        """How many round trips the write took or began before its session was removed."""
        async with bench_of(self._database, self._witness) as bench:
            victim, witness = await bench.furnished()
            word = f"w{uuid4().hex}"
            about = f"{name}, held at round trip {nth}, {removal}"
            self.traces.add(bench.tenants, f"text {word}", about)
            await store(witness, word, is_over=name.startswith("create"))
            held = bench.proxy.arm(Fault.STALL_REQUEST, nth=nth)
            bench.proxy.reset()
            writing = asyncio.create_task(error_of(WRITES[name](victim, word)))
            await struck_or_done(held, writing)
            trips = bench.proxy.traffic.round_trips
            removing = asyncio.ensure_future(REMOVALS[removal](witness, word))
            await asyncio.wait([removing], timeout=_LONG_ENOUGH)
            bench.proxy.restore()
            await writing
            await removing
            if name.startswith("create"):
                await witness.sessions.delete(word)
            assert await witness.sessions.find(word) is None, about
            await witness.sweep()
            return trips
