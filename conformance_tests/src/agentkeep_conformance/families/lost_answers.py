"""Another writer comes between an append whose answer is lost and its repetition: what was acknowledged is there."""

from __future__ import annotations

import asyncio

from agentkeep import Appended, OutcomeUnknown, Unavailable, View

from agentkeep_conformance.clauses import needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.faults import bench_of, error_of, struck_or_done
from agentkeep_conformance.proxy import Fault
from agentkeep_conformance.samples import log, said, seqs


class LostAnswers:
    @proves("ERR-2", "IDEM-2", "ORD-1", "CNT-1", "FLT-1")
    @needs_wire
    async def test_another_writer_may_come_between_a_lost_answer_and_the_repetition(self, database: Database) -> None:
        """The answer to each round trip of an append is kept back until another keep has written, and then lost."""
        async with bench_of(database) as bench:
            for nth in range(1, 1 + await bench.round_trips(_say_mine)):
                victim, witness = await bench.furnished()
                acknowledged = [await _say_mine(victim)]  # what it keeps of the session, it keeps now
                plan = bench.proxy.arm(Fault.STALL_REPLY, nth=nth)
                call = asyncio.create_task(error_of(_say_mine(victim)))
                await struck_or_done(plan, call)
                acknowledged.append(await witness.messages.append("s", [said("theirs")]))
                bench.proxy.cut()
                bench.proxy.restore()
                error = await call
                acknowledged += [await _say_mine(victim), await _say_mine(victim)]
                found = await log(witness, "s")
                assert [message for each in acknowledged for message in each if message not in found] == [], nth
                landed = len([message for message in found if message.content == "mine"]) - 3
                assert landed in _LANDED[type(error)], f"{error!r}, and it landed {landed} times"
                assert seqs(found) == list(range(1, len(found) + 1))
                assert (await victim.sessions.get("s")).message_count == len(found)


_LANDED: dict[type[object], tuple[int, ...]] = {type(None): (1,), OutcomeUnknown: (0, 1), Unavailable: (0,)}


async def _say_mine(keep: View) -> Appended:
    return await keep.messages.append("s", [said("mine")])
