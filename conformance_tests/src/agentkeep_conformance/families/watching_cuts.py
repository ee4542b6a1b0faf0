"""Watches of which single connections and single answers are lost: nothing is missed or repeated (WATCH-1, FLT-2)."""

from __future__ import annotations

import asyncio

from agentkeep import Keep

from agentkeep_conformance.clauses import needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.faults import CUTS, bench_of
from agentkeep_conformance.families.watching import met_so_far, watches, watching
from agentkeep_conformance.samples import said, seqs


class WatchingCuts:
    @proves("WATCH-1", "FLT-2")
    @needs_wire
    async def test_nothing_is_missed_if_only_the_watchers_connection_is_lost(
        self, database: Database, keep: Keep
    ) -> None:
        """The connections that were open before, over which the same keep appends, stay."""
        if await watches(database, keep):
            async with bench_of(database) as bench:
                victim, witness = await bench.furnished()
                others = bench.proxy.links
                async with watching(victim, "s") as met, watching(victim, "t", 5) as other:
                    await met_so_far(met, 5)
                    await asyncio.sleep(0.1)
                    for round_ in range(3):
                        bench.proxy.cut(besides=others)
                        await witness.messages.append("s", [said()])
                        await victim.messages.append("t", [said()])
                        await victim.messages.append("s", [said()])
                        await met_so_far(met, 7 + 2 * round_)
                        await met_so_far(other, 1 + round_)
                    assert seqs(met) == list(range(1, 12))
                    assert seqs(other) == [6, 7, 8]

    @proves("WATCH-1", "FLT-2")
    @needs_wire
    async def test_a_lost_answer_costs_a_watcher_nothing(self, database: Database, keep: Keep) -> None:
        """Each of the first round trips of a watch, its subscription included, is cut once."""
        if await watches(database, keep):
            async with bench_of(database) as bench:
                victim, witness = await bench.furnished()
                count = 5
                for fault in CUTS:
                    for nth in (1, 2, 3):
                        bench.proxy.arm(fault, nth=nth)
                        async with watching(victim, "s") as met:
                            await met_so_far(met, count)
                            await witness.messages.append("s", [said(), said()])
                            await met_so_far(met, count + 2)
                            bench.proxy.restore()
                            await witness.messages.append("s", [said()])
                            count += 3
                            assert seqs(await met_so_far(met, count)) == list(range(1, count + 1)), (fault, nth)
