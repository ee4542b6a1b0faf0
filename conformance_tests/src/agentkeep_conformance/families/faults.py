"""Connections that break at exact points: a call was done once or not at all, and its error says which is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

import pytest
from agentkeep import Appended, Keep, NewMessage, OutcomeUnknown, PersistenceError, Unavailable, View

from agentkeep_conformance.clauses import needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.operations import READS, WRITES, Expectation, expectation, furnish, world_of
from agentkeep_conformance.proxy import Fault, Plan, Proxy
from agentkeep_conformance.racing import outcomes

CUTS = (Fault.CUT_BEFORE_SEND, Fault.CUT_BEFORE_REPLY, Fault.CUT_MID_REPLY)
_STALLS = (Fault.STALL_REQUEST, Fault.STALL_REPLY)
_PATIENCE = 90
"""Seconds that any call may take, whatever happens: longer means that it hangs."""
_TENANTS = count()
"""No two benches share one."""


class Bench:
    """A victim that reaches the server over the proxy, and a witness that reaches it directly."""

    def __init__(self, proxy: Proxy, victim: Keep, witness: Keep) -> None:
        self.proxy = proxy
        self.victim = victim
        self._witness = witness
        self.tenants: list[str] = []
        """Those that were furnished."""

    async def furnished(self) -> tuple[View, View]:
        """The victim and the witness in a tenant of its own, with data in it and a connection that was used."""
        tenant = f"t{next(_TENANTS)}"
        self.tenants.append(tenant)
        victim, witness = self.victim.for_tenant(tenant), self._witness.for_tenant(tenant)
        await furnish(witness)
        await within(victim.sessions.get("s"))
        return victim, witness

    async def expected(self, name: str) -> Expectation:
        return await expectation(self._witness.for_tenant(f"t{next(_TENANTS)}"), name)

    async def round_trips(self, run: Callable[[View], Awaitable[Any]]) -> int:
        """How many the call takes when nothing breaks."""
        victim, _ = await self.furnished()
        self.proxy.reset()
        await run(victim)
        return self.proxy.traffic.round_trips


@asynccontextmanager
async def bench_of(database: Database, witness: Keep | None = None, **options: Any) -> AsyncGenerator[Bench, None]:
    """Opened and closed around one test. `options` are the victim's; without a `witness` it gets a new one."""
    address = database.enrolment.server.address
    assert address is not None, "an embedded adapter has no wire"
    async with Proxy(*address) as proxy:
        victim = Keep(database.enrolment.open(proxy.through(database.dsn), database.namespace, **options))
        await victim.open()
        try:
            yield Bench(proxy, victim, witness or await database.keep())
        finally:
            proxy.restore()
            await within(victim.close())


async def struck_or_done(plan: Plan, call: asyncio.Task[Any]) -> None:
    """Return when the armed fault has struck, or when the call has ended without it."""
    striking = asyncio.create_task(plan.struck.wait())
    await asyncio.wait([call, striking], return_when=asyncio.FIRST_COMPLETED)
    striking.cancel()


async def within(call: Awaitable[Any]) -> Any:
    async with asyncio.timeout(_PATIENCE):
        return await call


async def error_of(call: Awaitable[Any]) -> PersistenceError | None:
    """The error of ours that a call raised. Any other leaves here, and fails the test (ERR-1)."""
    try:
        await within(call)
    except PersistenceError as error:
        return error
    return None


async def for_each_cut(check: Callable[[Fault], Awaitable[None]]) -> None:
    """Check all kinds of cut at the same time, each with a bench of its own: the calls mostly wait for the server."""
    for outcome in await outcomes([check(fault) for fault in CUTS]):
        if outcome is not None:
            raise outcome


class Faults:
    @proves("ERR-2", "ERR-1", "FLT-1", "FLT-2")
    @needs_wire
    @pytest.mark.parametrize("name", WRITES)
    async def test_a_cut_write_is_done_once_or_not_at_all(self, database: Database, name: str) -> None:
        operation = WRITES[name]

        async def is_cut(fault: Fault) -> None:
            async with bench_of(database) as bench:
                expected = await bench.expected(name)
                for nth in range(1, 1 + await bench.round_trips(operation.run)):
                    victim, witness = await bench.furnished()
                    plan = bench.proxy.arm(fault, nth=nth)
                    error = await error_of(expected.run(victim))
                    bench.proxy.restore()
                    # a driver that prepares a statement takes one more trip if it is new to a connection
                    assert plan.struck.is_set() or nth > 1, f"{fault} at round trip {nth} never came"
                    expected.check(await world_of(witness), error)
                    await self._works_again(victim, witness, expected, error)

        await for_each_cut(is_cut)

    @proves("ERR-2", "FLT-1", "FLT-2")
    @needs_wire
    @pytest.mark.parametrize("name", WRITES)
    async def test_a_server_that_goes_away_in_a_write_is_said_so(self, database: Database, name: str) -> None:
        async def goes_away(fault: Fault) -> None:
            async with bench_of(database) as bench:
                expected = await bench.expected(name)
                victim, witness = await bench.furnished()
                bench.proxy.arm(fault, then_refuse=True)
                error = await error_of(expected.run(victim))
                assert error is not None, f"{fault}, and no answer could come"
                expected.check(await world_of(witness), error)
                assert isinstance(await error_of(victim.sessions.get("s")), Unavailable)
                bench.proxy.restore()
                await self._works_again(victim, witness, expected, error)

        await for_each_cut(goes_away)

    async def _works_again(
        self, victim: View, witness: View, expected: Expectation, error: PersistenceError | None
    ) -> None:
        """The next call works, and a repeated append brings the data where it should be, once (IDEM-1)."""
        if expected.operation.repeatable and error is not None:
            await within(expected.operation.run(victim))
            assert await world_of(witness) == expected.after
        assert (await within(victim.sessions.get("x"))).id == "x"

    @proves("ERR-1", "FLT-2")
    @needs_wire
    @pytest.mark.parametrize("name", READS)
    async def test_a_cut_read_succeeds_or_is_unavailable(self, database: Database, name: str) -> None:
        read = READS[name]

        async def is_cut(fault: Fault) -> None:
            async with bench_of(database) as bench:
                trips = range(1, 1 + await bench.round_trips(read))
                for nth, then_refuse in [(nth, refuse) for nth in trips for refuse in (False, True)]:
                    victim, witness = await bench.furnished()
                    expected = await read(witness)
                    bench.proxy.arm(fault, nth=nth, then_refuse=then_refuse)
                    with suppress(Unavailable):
                        assert await within(read(victim)) == expected
                    bench.proxy.restore()
                    assert await within(read(victim)) == expected

        await for_each_cut(is_cut)

    @proves("FLT-2")
    @needs_wire
    @pytest.mark.parametrize("name", WRITES)
    async def test_a_connection_that_died_while_idle_costs_no_error(self, database: Database, name: str) -> None:
        async with bench_of(database) as bench:
            expected = await bench.expected(name)
            victim, witness = await bench.furnished()
            bench.proxy.cut()
            await news_travels(bench.proxy)
            assert await error_of(expected.run(victim)) is None
            assert await world_of(witness) == expected.after

    @proves("IDEM-1", "IDEM-2", "FLT-2")
    @needs_wire
    async def test_what_a_call_landed_is_new_although_its_first_answer_was_lost(self, database: Database) -> None:
        """As far as it can be known: nobody else has ids that core drew, while another caller may send given ones."""

        async def is_cut(fault: Fault) -> None:
            async with bench_of(database) as bench:
                for nth in range(1, 1 + await bench.round_trips(_append_two)):
                    victim, _ = await bench.furnished()
                    bench.proxy.arm(fault, nth=nth)
                    with suppress(OutcomeUnknown, Unavailable):
                        assert (await within(_append_two(victim))).new == 2
                    bench.proxy.restore()

        await for_each_cut(is_cut)

    @proves("FLT-2", "ERR-2")
    @needs_wire
    @pytest.mark.parametrize("fault", _STALLS, ids=[fault.name.lower() for fault in _STALLS])
    async def test_a_silent_server_is_given_up(self, database: Database, fault: Fault) -> None:
        async with bench_of(database, **database.enrolment.short_timeout) as bench:
            for name in ("append a batch", "update"):
                expected = await bench.expected(name)
                victim, witness = await bench.furnished()
                plan = bench.proxy.arm(fault, then_refuse=False)
                error = await error_of(expected.run(victim))
                assert plan.struck.is_set()
                # an append of several round trips begins with a read, which may be asked again on another connection
                assert error is not None or database.enrolment.round_trips.get("append", 1) > 1, "no answer came"
                expected.check(await world_of(witness), error)
                bench.proxy.restore()
                await self._works_again(victim, witness, expected, error)

    @proves("FLT-4", "FLT-2")
    async def test_one_connection_serves_everybody(self, database: Database) -> None:
        """Also between the pages of an iteration, and after each kind of refusal."""
        keep = await database.keep(**database.enrolment.one_connection)
        await furnish(keep)
        await keep.messages.append("s", [NewMessage(role="user") for _ in range(1000)])
        iteration = keep.messages.iterate("s")
        assert (await within(anext(iteration))).seq == 1
        for refused in _REFUSED * 3:
            assert await error_of(refused(keep)) is not None
        await within(asyncio.gather(*(_append_and_read(keep, number) for number in range(20))))
        assert [message.seq async for message in iteration] == list(range(2, 1026))


_REFUSED: list[Callable[[View], Awaitable[Any]]] = [
    lambda keep: keep.sessions.create("s"),
    lambda keep: keep.sessions.get("absent"),
    lambda keep: keep.sessions.update("s", expected_version=99, title="t"),
    lambda keep: keep.messages.append("absent", [NewMessage(role="user")]),
    lambda keep: keep.messages.append("s", [NewMessage(role="user", id="m1", content="other")]),
    lambda keep: keep.messages.append("s", [NewMessage(role="user")], expected_last_seq=99),
    lambda keep: keep.messages.get("s", "absent"),
]


async def _append_two(keep: View) -> Appended:
    return await keep.messages.append("s", [NewMessage(role="user"), NewMessage(role="user")])


async def _append_and_read(keep: View, number: int) -> None:
    await keep.messages.append("s", [NewMessage(role="user", id=f"new{number}")])
    assert (await keep.messages.get("s", f"new{number}")).role == "user"


async def news_travels(proxy: Proxy) -> None:
    """Until both ends had the time to hear that their connections are gone. A driver's monitor may connect anew."""
    for _ in range(100):
        if not proxy.connections:
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
