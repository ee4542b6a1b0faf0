"""A call that waits before its commit while another one comes: a race inside the server, without luck.

`interleaving` puts a call between two lines of an adapter. What a server does within one statement has no such lines.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from agentkeep import Keep

from agentkeep_conformance.clauses import needs, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.faults import within
from agentkeep_conformance.families.interleaving import PAIRS
from agentkeep_conformance.families.troubles import bench_of
from agentkeep_conformance.interleaved import outcome
from agentkeep_conformance.operations import READS, WRITES, furnish

_MEANWHILE = 0.1
"""Seconds for the held call to come to its commit, and for the other one to go as far as it can."""


class HeldRaces:
    @proves("ORD-2", "ORD-4", "ORD-6", "IDEM-1", "CNT-1", "CNT-2", "SES-1", "SES-2", "SES-5", "ERR-1")
    @needs("hold_commits", "it has no hook that lets writes wait at the server before their commit")
    @pytest.mark.parametrize("name", PAIRS)
    async def test_a_call_may_come_while_another_waits_to_commit(self, database: Database, name: str) -> None:
        pair = PAIRS[name]
        async with bench_of(database, database.enrolment.hold_commits) as bench:
            for tenant, calls in {"as it is": (pair.first, pair.second), "turned": (pair.second, pair.first)}.items():
                witness, victim = (cast("Keep", keep.for_tenant(tenant)) for keep in (bench.witness, bench.victim))
                await pair.prepare(witness, "s")
                async with bench.trouble.during():
                    tasks: list[asyncio.Task[Any]] = []
                    for call, view in zip(calls, (victim, witness), strict=True):
                        tasks.append(asyncio.create_task(outcome(call(view, "s"))))
                        await asyncio.wait(tasks[-1:], timeout=_MEANWHILE)
                results = [await within(task) for task in tasks]
                await pair.check(witness, "s", *(results if tenant == "as it is" else results[::-1]))

    @proves("ORD-2", "ORD-5", "READ-1", "SES-1", "ERR-1")
    @needs("hold_commits", "it has no hook that lets writes wait at the server before their commit")
    async def test_who_reads_while_a_write_waits_to_commit_reads_what_was_before(self, database: Database) -> None:
        """At once, all of it: a row that the write has locked is no reason to wait, and none to leave it out."""
        async with bench_of(database, database.enrolment.hold_commits) as bench:
            for name, write in WRITES.items():
                witness, victim = (cast("Keep", keep.for_tenant(name)) for keep in (bench.witness, bench.victim))
                await furnish(witness)
                before = {read: await call(witness) for read, call in READS.items()}
                async with bench.trouble.during():
                    writing = asyncio.create_task(outcome(write.run(victim)))
                    await asyncio.wait([writing], timeout=_MEANWHILE)
                    found = {read: await within(call(witness)) for read, call in READS.items()}
                await within(writing)
                assert found == before, name
