"""What an adapter says of its server is true: the version, the latency, that it is away, what outlives a crash."""

from __future__ import annotations

import re
from contextlib import aclosing
from datetime import timedelta
from time import perf_counter
from typing import get_args

import pytest
from agentkeep import Keep, Unavailable
from agentkeep.capabilities import Durability

from agentkeep_conformance.clauses import needs, needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.faults import bench_of, within

_DELAY = 0.2
_NUMBER = re.compile(r"[0-9]+\.[0-9.]+")
"""Valkey has two: its own, and that of the Redis with which it is compatible."""
_SURVIVE_POWER_CUTS = ("fsync", "replicated")


class Declarations:
    @proves("ERR-1", "ERR-2")
    @needs_wire
    async def test_health_tells_the_servers_version_and_how_far_it_is(self, database: Database) -> None:
        async with bench_of(database) as bench:
            victim, _ = await bench.furnished()
            health = await victim.health()
            version = database.enrolment.server.version()
            assert any(number in health.server for number in _NUMBER.findall(version)), f"the server is {version}"
            bench.proxy.slow(_DELAY)
            started = perf_counter()
            slow = await victim.health()
            took = timedelta(seconds=perf_counter() - started)
            bench.proxy.slow()
            assert timedelta(seconds=_DELAY) <= slow.latency <= took
            bench.proxy.refuse()
            with pytest.raises(Unavailable):
                await within(victim.health())
            bench.proxy.restore()
            assert (await within(victim.health())).server == health.server

    @proves("FLT-1", "ERR-1")
    @needs("durabilities", "it has no hook that changes what outlives a crash")
    async def test_what_outlives_a_crash_is_read_from_the_settings(self, database: Database) -> None:
        await database.keep()
        met: list[str] = []
        async with aclosing(database.enrolment.durabilities(database.dsn, database.namespace)) as grades:
            async for grade, adapter in grades:
                async with Keep(adapter) as keep:
                    health = await keep.health()
                    assert keep.capabilities.durability == grade
                    assert health.durability == grade
                    assert health.warnings or grade in _SURVIVE_POWER_CUTS, f"no warning says that it is {grade}"
                met.append(grade)
        assert set(met) <= set(get_args(Durability))
        assert len(set(met)) > 1, f"the hook makes one grade only: {met}"
