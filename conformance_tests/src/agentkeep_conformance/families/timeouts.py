"""A timeout bounds the whole call: the waiting for a connection, each sending, and the answer (FLT-5)."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest
from agentkeep import OutcomeUnknown, PersistenceError, Unavailable, View

from agentkeep_conformance.clauses import needs, needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.faults import Bench, bench_of, error_of, news_travels, within
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


_AT_ONCE = 6
"""So many calls that an adapter with a pool has several connections, which are idle afterwards."""
_CONNECTING_SECONDS, _CONNECTING_TURNS = 0.5, 4
"""For each answer, of which drivers need up to four to connect; a call is cancelled after each but the last of them."""
_SLOW = {
    "two are too slow": [0.75],
    "three are too slow": [0.45],
    "a write after a read is too slow": [0.45, 0.9],
}
"""Parts of the timeout. A read over a used connection may wait for half of it before it takes another connection."""
_LATE = 1.25
"""Of the timeout: after that no call may still succeed."""
_MOMENT = 0.001
"""A life that is over before the next call."""


async def _watch(keep: View) -> None:
    async for _message in keep.messages.watch("s", after_seq=0):
        pass


class Timeouts:
    @proves("FLT-2", "FLT-5")
    @needs_wire
    @_needs_timeout
    @needs("renews_silent_connections", "its driver has no way to ask for a new connection")
    @pytest.mark.parametrize("name", ["get", "messages.tail", "list"])
    async def test_many_connections_that_died_unheard_cost_a_read_one_silent_retry(
        self, database: Database, name: str
    ) -> None:
        """A firewall forgets them all at once, so the second try may not take the next one of them."""
        options = {option: 4 * seconds for option, seconds in database.enrolment.short_timeout.items()}
        async with bench_of(database, **options) as bench:
            victim, witness = await bench.furnished()
            expected = await READS[name](witness)
            await asyncio.gather(*(READS[name](victim) for _ in range(_AT_ONCE)))
            bench.proxy.silence()
            assert await READS[name](victim) == expected

    @proves("FLT-5", "LIFE-2")
    @needs_wire
    @_needs_timeout
    async def test_closing_ends_although_the_connections_died_unheard(self, database: Database) -> None:
        async with bench_of(database, **database.enrolment.short_timeout) as bench:
            victim, _ = await bench.furnished()
            await asyncio.gather(*(READS["get"](victim) for _ in range(_AT_ONCE)))
            bench.proxy.silence()
            await within(bench.victim.close())

    @proves("LIFE-2", "FLT-3")
    @needs_wire
    @pytest.mark.parametrize(
        ("call", "is_cancelled"),
        [
            pytest.param(READS["get"], True, id="cancelled get"),
            pytest.param(_watch, True, id="cancelled watch"),
            pytest.param(_watch, False, id="watch"),
        ],
    )
    async def test_closing_closes_what_is_being_connected(
        self, database: Database, call: Verb, is_cancelled: bool
    ) -> None:
        """Nobody waits for that connection any more, and the event loop may end with `close`."""
        async with bench_of(database) as bench:
            victim, _ = await bench.furnished()
            for turns in range(1, _CONNECTING_TURNS):
                bench.proxy.cut()
                await news_travels(bench.proxy)
                bench.proxy.slow(_CONNECTING_SECONDS)
                running = asyncio.ensure_future(error_of(call(victim)))
                await asyncio.sleep(turns * _CONNECTING_SECONDS)
                if is_cancelled:
                    running.cancel()
                    await asyncio.wait({running})
                await within(bench.victim.close())
                await news_travels(bench.proxy)  # a monitor of PyMongo 4.20 ends with its next answer
                assert not bench.proxy.links, f"{len(bench.proxy.links)} connections are open after {turns} answers"
                await asyncio.wait({running})
                bench.proxy.slow()
                await bench.victim.open()
                await victim.sessions.get("s")

    @proves("LIFE-2", "FLT-3")
    @needs_wire
    async def test_opening_that_is_cancelled_leaves_no_connection(self, database: Database) -> None:
        async with bench_of(database) as bench:
            await bench.victim.close()
            await news_travels(bench.proxy)
            for turns in range(_CONNECTING_TURNS):
                bench.proxy.slow(_CONNECTING_SECONDS)
                opening = asyncio.ensure_future(bench.victim.open())
                await asyncio.sleep((turns + 0.5) * _CONNECTING_SECONDS)
                opening.cancel()
                await asyncio.wait({opening})
                await within(bench.victim.close())
                await asyncio.sleep(_CONNECTING_SECONDS / 2)
                assert not bench.proxy.links, f"{len(bench.proxy.links)} connections are open after {turns} answers"
                bench.proxy.slow()
            await bench.victim.open()

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
                bench.proxy.slow(_HELD_SECONDS)
                started = monotonic()
                error = await error_of(call(victim))
                took = monotonic() - started
                bench.proxy.slow()
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
            bench.proxy.slow(_HELD_SECONDS)

            async def timed(number: int) -> tuple[float, PersistenceError | None]:
                started = monotonic()
                error = await error_of(WAITING[number % len(WAITING)](victim))
                return monotonic() - started, error

            outcomes = await asyncio.gather(*(timed(number) for number in range(_CALLERS)))
            bench.proxy.slow()
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
                bench.proxy.slow(_HELD_SECONDS)
                error = await error_of(expected.run(victim))
                bench.proxy.slow()
                bench.proxy.cut()
                assert error is not None
                expected.check(await world_of(witness), error)

    @proves("FLT-5")
    @needs_wire
    @_needs_timeout
    @pytest.mark.parametrize("slow", _SLOW.values(), ids=_SLOW)
    async def test_answers_that_are_slow_together_are_too_slow(self, database: Database, slow: list[float]) -> None:
        """Each answer alone comes in time: it takes that part of the timeout. All answers of a call share its time.

        Sessions that have just expired make some calls ask more than once.
        """
        options = {option: 2 * seconds for option, seconds in database.enrolment.short_timeout.items()}
        seconds = max(options.values())
        calls: dict[str, Verb] = {**READS, **{name: write.run for name, write in WRITES.items()}}
        async with bench_of(database, **options) as bench:

            async def is_late(name: str, victim: View) -> bool:
                started = monotonic()
                error = await error_of(calls[name](victim))
                return error is None and monotonic() - started > _LATE * seconds

            late: list[str] = []
            for start in range(0, len(calls), _AT_ONCE):
                names = list(calls)[start : start + _AT_ONCE]
                furnished = [await bench.furnished() for _ in names]
                for _, witness in furnished:
                    await witness.sessions.create("expired", user_id="u1", metadata={"k": 1}, ttl=_MOMENT)
                bench.proxy.slow(*(part * seconds for part in slow))
                found = await asyncio.gather(
                    *(is_late(name, victim) for name, (victim, _) in zip(names, furnished, strict=True))
                )
                bench.proxy.slow()
                late += [name for name, was_late in zip(names, found, strict=True) if was_late]
                await self._works(bench)
            assert late == []

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
