"""A timeout bounds the whole call: the waiting for a connection, each sending, and the answer (FLT-5)."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest
from agentkeep import OutcomeUnknown, PersistenceError, Unavailable

from agentkeep_conformance.clauses import needs, needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.faults import Bench, bench_of, error_of, news_travels
from agentkeep_conformance.operations import READS, WRITES, furnish, world_of
from agentkeep_conformance.samples import Verb

_BOUND_SECONDS = 3.0
"""`short_timeout` is half a second or so; four times that, and something for a machine with much to do."""
_HELD_SECONDS = 600.0
_IN_A_YEAR = 100_000_000
"""So many short timeouts, more or less."""
_CALLERS = 12
"""So many that they would take longer than the bound if each had its timeout after the one before."""

_needs_timeout = needs("short_timeout", "it has no timeout to be made short")

CALLS: dict[str, Verb] = {
    "append": WRITES["append a batch"].run,
    "update": WRITES["update"].run,
    "delete_many": WRITES["delete_many"].run,
    "get": READS["get"],
    "list": READS["list"],
    "health": lambda keep: keep.health(),
}
"""A call of each kind, for furnished data."""

WAITING: list[Verb] = [READS["messages.tail"], WRITES["touch"].run, WRITES["append a batch"].run]
"""Calls that wait for one another: for a connection, and appends perhaps for the one that is under way."""


class Timeouts:
    @proves("FLT-5", "ERR-2")
    @needs_wire
    @_needs_timeout
    @pytest.mark.parametrize("connection", ["used", "new"])
    async def test_a_call_that_gets_no_answer_ends_in_time(self, database: Database, connection: str) -> None:
        async with bench_of(database, **database.enrolment.short_timeout) as bench:
            for name, call in CALLS.items():
                victim, _ = await bench.furnished()
                if connection == "new":
                    bench.proxy.cut()
                    await news_travels(bench.proxy)
                bench.proxy.delay = _HELD_SECONDS
                started = monotonic()
                error = await error_of(call(victim))
                took = monotonic() - started
                bench.proxy.delay = 0
                bench.proxy.cut()  # what is held would be held on
                assert isinstance(error, Unavailable | OutcomeUnknown), f"{name}: {error!r}"
                assert took < _BOUND_SECONDS, f"{name} took {took:.1f} s"
                await self._works(bench)

    @proves("FLT-5", "FLT-4", "ERR-1", "ERR-2")
    @needs_wire
    @_needs_timeout
    async def test_who_waits_for_a_connection_waits_no_longer(self, database: Database) -> None:
        """Many calls share one connection that gets no answers: they all end in the time of one."""
        options = {**database.enrolment.one_connection, **database.enrolment.short_timeout}
        async with bench_of(database, **options) as bench:
            victim, witness = await bench.furnished()
            bench.proxy.delay = _HELD_SECONDS

            async def timed(number: int) -> tuple[float, PersistenceError | None]:
                started = monotonic()
                error = await error_of(WAITING[number % len(WAITING)](victim))
                return monotonic() - started, error

            outcomes = await asyncio.gather(*(timed(number) for number in range(_CALLERS)))
            bench.proxy.delay = 0
            bench.proxy.cut()
            assert max(took for took, _ in outcomes) < _BOUND_SECONDS, outcomes
            for _, error in outcomes:
                assert isinstance(error, Unavailable | OutcomeUnknown), outcomes
                assert error.__cause__ is not None, outcomes
            assert (await witness.sessions.get("s")).message_count == 5
            await self._works(bench)

    @proves("FLT-5", "ERR-2")
    @needs_wire
    @_needs_timeout
    async def test_a_write_given_up_in_time_is_done_or_not(self, database: Database) -> None:
        async with bench_of(database, **database.enrolment.short_timeout) as bench:
            for name in ("append a batch", "append a turn", "update", "create"):
                expected = await bench.expected(name)
                victim, witness = await bench.furnished()
                bench.proxy.delay = _HELD_SECONDS
                error = await error_of(WRITES[name].run(victim))
                bench.proxy.delay = 0
                bench.proxy.cut()
                assert error is not None
                expected.check(await world_of(witness), error)

    @proves("FLT-5")
    @_needs_timeout
    async def test_a_timeout_of_a_year_lets_every_verb_work(self, database: Database) -> None:
        """A server that counts milliseconds in 32 bits knows no more than 24 days."""
        short = database.enrolment.short_timeout
        long: dict[str, Any] = {name: seconds * _IN_A_YEAR for name, seconds in short.items()}
        keep = await database.keep(**long)
        for name, operation in WRITES.items():
            tenant = keep.for_tenant(name.replace(" ", "-"))
            await furnish(tenant)
            await operation.run(tenant)
        reader = keep.for_tenant("reader")
        await furnish(reader)
        for read in READS.values():
            await read(reader)
        assert (await keep.health()).latency is not None
        assert await keep.sweep() == 0

    async def _works(self, bench: Bench) -> None:
        """The pool is whole again."""
        victim, _ = await bench.furnished()
        assert (await victim.sessions.get("x")).id == "x"
        assert len(await victim.messages.tail("x", 9)) == 5
