"""What an operator or a machine does to a database: it refuses, is read-only, full, slow or strict.

The server still answers, so no proxy can provoke this: the enrolment's hooks do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from agentkeep import ConfigurationError, Keep, OutcomeUnknown, PersistenceError, Refused, Unavailable, View

from agentkeep_conformance.clauses import needs, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.enrolment import Trouble
from agentkeep_conformance.families.faults import error_of, within
from agentkeep_conformance.operations import READS, WRITES, expectation, furnish, world_of
from agentkeep_conformance.samples import at_once, log, said, seqs

_ADDS = [name for name in WRITES if name.startswith(("create", "update", "fork", "append"))]
_TAKES_ROOM = [name for name in _ADDS if name not in ("append a turn", "append more than is kept")]
"""A server without room may still remove. The two remove first, and Redis then lets the script go on."""
_HELD = ("append a batch", "append a turn", "update", "create", "truncate")
_HELD_SECONDS = 0.15
_WRITERS = 8


class Bench:
    """A victim that the trouble meets, and a witness that it does not."""

    def __init__(self, victim: Keep, witness: Keep, trouble: Trouble) -> None:
        self.victim, self.witness, self.trouble = victim, witness, trouble

    async def furnished(self, tenant: str) -> tuple[View, View]:
        """The victim and the witness in a tenant with data in it."""
        victim, witness = self.victim.for_tenant(tenant), self.witness.for_tenant(tenant)
        await furnish(witness)
        await victim.sessions.get("s")
        return victim, witness


@asynccontextmanager
async def bench_of(
    database: Database, hook: Callable[[str, str], AbstractAsyncContextManager[Trouble]], **options: Any
) -> AsyncGenerator[Bench]:
    """The witness opens first and makes the schema."""
    witness = await database.keep()
    async with (
        hook(database.dsn, database.namespace) as trouble,
        Keep(database.enrolment.open(trouble.dsn, database.namespace, **options)) as victim,
    ):
        yield Bench(victim, witness, trouble)


async def refuses(bench: Bench, writes: Collection[str], kinds: tuple[type[PersistenceError], ...]) -> None:
    """Each write raises one of these errors and does nothing, each read works, and afterwards all works."""
    victim, witness = await bench.furnished("t")
    before = await world_of(witness)
    expected = {name: await read(witness) for name, read in READS.items()}
    async with bench.trouble.during():
        for name in writes:
            error = await error_of(WRITES[name].run(victim))
            assert isinstance(error, kinds), f"{name}: {error!r}"
            assert error.__cause__ is not None, f"{name}: {error!r} has no cause"
            assert await world_of(witness) == before, f"{name}: {error!r}, and something was written"
        for name, read in READS.items():
            assert await within(read(victim)) == expected[name], name
    for name in ("append a turn", "create", "delete_user"):
        after = (await expectation(bench.witness.for_tenant(f"expected {name}"), name)).after
        victim, witness = await bench.furnished(f"after {name}")
        await within(WRITES[name].run(victim))
        assert await world_of(witness) == after, f"{name}, after the trouble"


class Troubles:
    @proves("ERR-1", "ERR-2", "FLT-2")
    @needs("refuse_writes", "it has no hook that lets the server refuse writes")
    async def test_a_server_that_refuses_writes_is_said_so(self, database: Database) -> None:
        async with bench_of(database, database.enrolment.refuse_writes) as bench:
            await refuses(bench, WRITES, (Refused, ConfigurationError))

    @proves("LIFE-2", "ERR-2")
    @needs("over_client", "it takes no client of the caller's")
    @needs("refuse_writes", "it has no hook that lets the server refuse writes")
    async def test_refused_writes_leave_the_callers_client_as_it_was(self, database: Database) -> None:
        enrolment, witness = database.enrolment, await database.keep()
        async with (
            enrolment.refuse_writes(database.dsn, database.namespace) as trouble,
            enrolment.over_client(trouble.dsn, database.namespace) as over,
        ):
            async with Keep(over.adapter) as keep:
                victim, _ = await Bench(keep, witness, trouble).furnished("t")
                async with trouble.during():
                    for name, write in WRITES.items():
                        assert isinstance(await error_of(write.run(victim)), Refused | ConfigurationError), name
                assert over.taken is None or over.taken() == 0
                assert await over.client_works()
                await WRITES["append a turn"].run(victim)
            assert await over.client_works()

    @proves("ERR-1", "ERR-2", "FLT-2")
    @needs("make_read_only", "it has no hook that makes the server read-only")
    async def test_a_read_only_server_is_unavailable_for_writes(self, database: Database) -> None:
        async with bench_of(database, database.enrolment.make_read_only) as bench:
            await refuses(bench, WRITES, (Unavailable,))

    @proves("ERR-1", "ERR-2", "FLT-2")
    @needs("stop_writes", "it has no hook that makes the server stop writes for another reason")
    async def test_a_server_that_takes_no_writes_for_now_is_unavailable(self, database: Database) -> None:
        async for trouble in database.enrolment.stop_writes(database.dsn, database.namespace):
            other = database.other_namespace()
            witness = await other.keep()
            async with Keep(database.enrolment.open(trouble.dsn, other.namespace)) as victim:
                await refuses(Bench(victim, witness, trouble), WRITES, (Unavailable,))

    @proves("ERR-1", "ERR-2", "FLT-1")
    @needs("fill", "it has no hook that fills the server")
    async def test_a_full_server_is_unavailable_for_what_takes_room(self, database: Database) -> None:
        async with bench_of(database, database.enrolment.fill) as bench:
            await refuses(bench, _TAKES_ROOM, (Unavailable, OutcomeUnknown))

    @proves("ERR-2", "ORD-4", "FLT-1", "IDEM-1")
    @needs("hold_writes", "it has no hook that lets writes wait at the server")
    async def test_writes_that_wait_at_the_server_are_done_once(self, database: Database) -> None:
        async with bench_of(database, database.enrolment.hold_writes) as bench:
            for name in _HELD:
                expected = await expectation(bench.witness.for_tenant(f"expected {name}"), name)
                victim, witness = await bench.furnished(name)
                async with bench.trouble.during():
                    call = asyncio.create_task(error_of(WRITES[name].run(victim)))
                    await asyncio.sleep(_HELD_SECONDS)
                    assert not call.done(), f"{name} did not wait: the hook holds nothing"
                assert await call is None, f"{name}: {call.result()!r}"
                assert await world_of(witness) == expected.after, name

    @proves("ERR-2", "FLT-5", "IDEM-1")
    @needs("hold_writes", "it has no hook that lets writes wait at the server")
    @needs("short_timeout", "it has no timeout to be made short")
    async def test_a_write_that_waits_too_long_is_done_once_or_not_at_all(self, database: Database) -> None:
        enrolment = database.enrolment
        async with bench_of(database, enrolment.hold_writes, **enrolment.short_timeout) as bench:
            expected = {name: await expectation(bench.witness.for_tenant(f"expected {name}"), name) for name in _HELD}
            views = {name: await bench.furnished(name) for name in _HELD}
            async with bench.trouble.during():
                errors = await asyncio.gather(*(error_of(WRITES[name].run(views[name][0])) for name in _HELD))
            for name, error in zip(_HELD, errors, strict=True):
                victim, witness = views[name]
                assert error is not None, f"{name} ended, and the server held it"
                expected[name].check(await world_of(witness), error)
                if WRITES[name].repeatable:
                    await within(WRITES[name].run(victim))
                    assert await world_of(witness) == expected[name].after, f"{name}, once more"

    @proves("ERR-2", "ORD-4", "FLT-1")
    @needs("roll_back_once", "it has no hook that lets the server roll back a write")
    async def test_a_write_that_the_server_rolled_back_is_sent_again(self, database: Database) -> None:
        async with bench_of(database, database.enrolment.roll_back_once) as bench:
            for name in _ADDS:
                expected = await expectation(bench.witness.for_tenant(f"expected {name}"), name)
                victim, witness = await bench.furnished(name)
                async with bench.trouble.during():
                    error = await error_of(expected.run(victim))
                expected.check(await world_of(witness), error)
                assert error is None or not name.startswith("append"), f"{name}: {error!r}"

    @proves("ORD-1", "ORD-4", "CNT-1", "CNT-2", "SES-7")
    @needs("serializable", "its server has no isolation that an operator chooses")
    async def test_appends_at_the_strictest_isolation_never_conflict(self, database: Database) -> None:
        witness = await database.keep()
        async with (
            database.enrolment.serializable(database.dsn, database.namespace) as dsn,
            Keep(database.enrolment.open(dsn, database.namespace)) as keep,
        ):
            await at_once(keep.messages.append("s", [said(), said()], create={}, add={"n": 1}) for _ in range(_WRITERS))
        session = await witness.sessions.get("s")
        assert seqs(await log(witness, "s")) == list(range(1, 2 * _WRITERS + 1))
        assert (session.message_count, session.last_seq) == (2 * _WRITERS, 2 * _WRITERS)
        assert session.counters == {"n": _WRITERS}
