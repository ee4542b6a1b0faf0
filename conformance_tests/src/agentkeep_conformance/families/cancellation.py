"""A call that is cancelled at any of its awaits leaves the data before or after, and the adapter as good as new."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

import pytest
from agentkeep import Keep

from agentkeep_conformance.cancelling import When, awaits_of, was_cancelled
from agentkeep_conformance.clauses import needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.faults import bench_of, within
from agentkeep_conformance.operations import READS, WRITES, expectation, furnish, world_of
from agentkeep_conformance.proxy import Fault
from agentkeep_conformance.racing import outcomes

_PATIENCE = 60
"""Seconds that a call may wait for a connection: longer means that a cancelled one took it along."""


class Cancellation:
    @proves("FLT-3", "ORD-6")
    @pytest.mark.parametrize("name", WRITES)
    async def test_a_write_cancelled_at_any_await_is_done_or_not(self, database: Database, name: str) -> None:
        operation = WRITES[name]
        witness = await database.keep()
        victim = await database.keep(**database.enrolment.one_connection)
        expected = await expectation(witness.for_tenant("undisturbed"), name)
        for at, when in await self._moments(victim, name):
            tenant = f"{at}-{when.name}"
            await furnish(witness.for_tenant(tenant))
            await was_cancelled(_coroutine(operation.run(victim.for_tenant(tenant))), at, when)
            expected.is_before_or_after(await world_of(witness.for_tenant(tenant)))
            async with asyncio.timeout(_PATIENCE):
                if operation.repeatable:
                    await operation.run(victim.for_tenant(tenant))
                assert (await victim.for_tenant(tenant).sessions.get("x")).id == "x"
            if operation.repeatable:
                assert await world_of(witness.for_tenant(tenant)) == expected.after

    async def _moments(self, victim: Keep, name: str) -> list[tuple[int, When]]:
        """Each await of the call on a warm adapter, and one more, which may come while a lock is held."""
        await furnish(victim.for_tenant("counted"))
        awaits = await awaits_of(_coroutine(WRITES[name].run(victim.for_tenant("counted"))))
        return [(at, when) for at in range(1, awaits + 2) for when in When]

    @proves("FLT-3", "FLT-4")
    async def test_cancelled_reads_leave_the_connection_usable(self, database: Database) -> None:
        keep = await database.keep(**database.enrolment.one_connection)
        await furnish(keep)
        for read in READS.values():
            expected = await read(keep)
            awaits = await awaits_of(_coroutine(read(keep)))
            for at, when in [(at, when) for at in range(1, awaits + 1) for when in When]:
                await was_cancelled(_coroutine(read(keep)), at, when)
                async with asyncio.timeout(_PATIENCE):
                    assert await read(keep) == expected

    @proves("FLT-3")
    async def test_a_cancelled_wait_for_the_connection_wakes_the_next(self, database: Database) -> None:
        """Some callers queue behind others; those of them that go must not take the turn of those that stay."""
        keep = await database.keep(**database.enrolment.one_connection)
        await furnish(keep)
        for leaving in range(1, 8):
            calls = [asyncio.create_task(_coroutine(WRITES["touch"].run(keep))) for _ in range(8)]
            await asyncio.sleep(0)
            calls[leaving].cancel()
            async with asyncio.timeout(_PATIENCE):
                results = await asyncio.gather(*calls, return_exceptions=True)
            failed = [result for result in results if isinstance(result, BaseException)]
            assert all(isinstance(result, asyncio.CancelledError) for result in failed)
            assert len(failed) <= 1

    @proves("FLT-3", "FLT-4")
    @needs_wire
    async def test_a_call_cancelled_while_it_connects_in_vain_leaves_its_place_free(self, database: Database) -> None:
        """Its connection was lost, the new one gets no answer, the caller leaves, and then the server goes away."""
        async with bench_of(database, **database.enrolment.one_connection) as bench:
            victim, _ = await bench.furnished()
            for name in ("touch", "append"):
                bench.proxy.cut()
                plan = bench.proxy.arm(Fault.STALL_REQUEST)
                call = asyncio.create_task(_coroutine(WRITES[name].run(victim)))
                await asyncio.wait({call, asyncio.create_task(plan.struck.wait())}, return_when=asyncio.FIRST_COMPLETED)
                call.cancel()
                await asyncio.sleep(0.05)
                bench.proxy.refuse()
                await outcomes([call])
                bench.proxy.restore()
                assert (await within(victim.sessions.get("s"))).id == "s"

    @proves("FLT-3", "LIFE-1")
    async def test_a_cancelled_open_can_be_repeated(self, database: Database) -> None:
        awaits = await awaits_of(database.other_namespace().keep())
        for at, when in [(at, when) for at in range(1, awaits + 1) for when in When]:
            elsewhere = database.other_namespace()
            keep = Keep(elsewhere.unopened())
            await was_cancelled(keep.open(), at, when)
            async with asyncio.timeout(_PATIENCE):
                await keep.open()
                try:
                    await furnish(keep)
                    assert await keep.sessions.count() == 3
                finally:
                    await keep.close()


def _coroutine(call: Any) -> Coroutine[Any, Any, Any]:
    return cast("Coroutine[Any, Any, Any]", call)
