"""What the second edition's reads cost: one round trip, whatever the length of the log (COST-1, READ-3)."""

from __future__ import annotations

import pytest
from agentkeep import Keep

from agentkeep_conformance.clauses import needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families import cost
from agentkeep_conformance.families.faults import bench_of
from agentkeep_conformance.samples import said

READS: dict[str, cost.Call] = {
    "resume": lambda keep, session_id: keep.sessions.resume(session_id, tail=20, whole_turns=False),
    "resume of whole turns": lambda keep, session_id: keep.sessions.resume(session_id, tail=20),
    "tail of whole turns": lambda keep, session_id: keep.messages.tail(session_id, 20, whole_turns=True),
    "messages.get_many": lambda keep, session_id: keep.messages.get_many(session_id, [f"m{n}" for n in range(10, 40)]),
    "messages.get_many of absent ones": lambda keep, session_id: keep.messages.get_many(session_id, ["m7", "none"]),
    "sessions.get_many": lambda keep, session_id: keep.sessions.get_many([session_id, "none", "other"]),
}

_FEW = 3


class CostOfReads:
    @proves("COST-1", "READ-3", "READ-4")
    @needs_wire
    async def test_a_read_of_many_takes_one_trip_however_long_the_log(self, database: Database) -> None:
        async with bench_of(database) as bench:
            keep, witness = await bench.furnished()
            await witness.sessions.create("other")
            sessions = await cost.short_and_long(database, keep)
            for name, read in READS.items():
                costs: list[tuple[int, int, int]] = []
                for session_id in sessions:
                    await read(keep, session_id)
                    # the cheapest of a few: work that follows a write, as of an index, may fall into one of them
                    few = [await cost.cost_of(bench.proxy, keep, session_id, read) for _ in range(_FEW)]
                    costs.append(min(few))
                    assert costs[-1][0] <= cost.allowed(database, "read"), name
                cost.alike(*costs)

    @proves("COST-1")
    @needs_wire
    async def test_a_thousand_ids_are_one_trip(self, database: Database) -> None:
        async with bench_of(database) as bench:
            keep, witness = await bench.furnished()
            wanted = [f"m{number}" for number in range(6, 1_001)]
            for start in range(0, len(wanted), 199):
                await witness.messages.append("s", [said("x", id=name) for name in wanted[start : start + 199]])
            await keep.messages.get_many("s", wanted[:3])
            await keep.sessions.get_many(["s"])
            bench.proxy.reset()
            assert list(await keep.messages.get_many("s", wanted)) == wanted
            assert bench.proxy.traffic.round_trips <= cost.allowed(database, "read")
            bench.proxy.reset()
            assert list(await keep.sessions.get_many(["s", *wanted, "t"])) == ["s", "t"]
            assert bench.proxy.traffic.round_trips <= cost.allowed(database, "read")

    @proves("READ-3", "READ-4", "COST-1")
    async def test_the_work_of_a_read_of_many_does_not_grow_with_the_log(self, database: Database) -> None:
        adapter = database.unopened()
        async with Keep(adapter) as keep:
            await keep.sessions.create("other")
            sessions = await cost.short_and_long(database, keep)
            for name, read in READS.items():
                few, many = [await cost.steps(database, adapter, keep, read, session_id) for session_id in sessions]
                assert many <= few * 1.5 + 50, f"{name}: {few} steps in a short log, {many} in a long one"

    @proves("COST-1", "SES-7", "IDEM-3", "CNT-2")
    @needs_wire
    @pytest.mark.parametrize("kind", ["create", "skip", "add", "a whole turn"])
    async def test_an_append_with_options_is_no_more_trips(self, database: Database, kind: str) -> None:
        """Averaged, as drivers may prepare a statement that is new to a connection."""
        async with bench_of(database) as bench:
            keep, _ = await bench.furnished()

            async def append(number: int) -> None:
                if kind == "create":
                    await keep.messages.append(f"new{number}", [said()], create={"title": "t"})
                elif kind == "skip":
                    batch = [said(id=f"m{part}") for part in (number, number + 1)]
                    await keep.messages.append("s", batch, stored="skip")
                elif kind == "add":
                    await keep.messages.append("s", [said()], add={"tokens": 5})
                else:
                    await keep.messages.append("s", [said()], update={"title": "t"}, add={"n": 1}, keep_last=50)

            for number in range(3):
                await append(number)
            bench.proxy.reset()
            for number in range(3, 43):
                await append(number)
            kinds = {"skip": "append with ids", "create": "append with create"}
            allowed = cost.allowed(database, kinds.get(kind, "append"))
            assert bench.proxy.traffic.round_trips <= 40 * allowed
