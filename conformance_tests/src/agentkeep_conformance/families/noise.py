"""What the log says of calls that were cancelled or failed: no noise, no secrets (FLT-3, ERR-3)."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

import pytest
from agentkeep import Keep, PersistenceError

from agentkeep_conformance.cancelling import When, awaits_of, was_cancelled
from agentkeep_conformance.clauses import needs, needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.elsewhere import awaited
from agentkeep_conformance.families.faults import bench_of, error_of
from agentkeep_conformance.operations import WRITES, furnish
from agentkeep_conformance.proxy import Fault, Proxy
from agentkeep_conformance.samples import said

SECRET = "s3cr3t-c0ntent"
_CANCELLED = ["append a batch", "append a turn", "update", "delete"]
_MOMENTS = [(at, when) for at in (1, 2, 3, 5) for when in When]


def _nothing() -> None:
    pass


async def _cancel_everywhere(keep: Keep, after_each: Callable[[], None] = _nothing) -> None:
    """Cancel writes at their first awaits, alone and while others wait for the same connection."""
    await furnish(keep.for_tenant("warm"))
    for name in _CANCELLED:
        await awaits_of(awaited(WRITES[name].run(keep.for_tenant("warm"))))
        for at, when in _MOMENTS:
            view = keep.for_tenant(f"{name} {at} {when.name}")
            await furnish(view)
            await was_cancelled(awaited(WRITES[name].run(view)), at, when)
            after_each()
            calls = [asyncio.create_task(awaited(WRITES["touch"].run(view))) for _ in range(4)]
            await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            after_each()
            assert (await view.sessions.get("x")).id == "x"


async def _noise(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as a warning or worse, also by what is only found out when it is thrown away."""
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0.01)
    return [f"{record.name}: {record.getMessage()}" for record in caplog.records if record.levelno >= logging.WARNING]


class Noise:
    @proves("FLT-3")
    async def test_cancelled_calls_leave_nothing_in_the_log(
        self, database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with Keep(database.unopened(**database.enrolment.one_connection)) as keep:
            await _cancel_everywhere(keep)
        assert await _noise(caplog) == []

    @proves("FLT-3", "LIFE-2")
    @needs("over_client", "it takes no client of the caller's")
    async def test_cancelled_calls_leave_the_callers_client_as_it_was_and_nothing_in_the_log(
        self, database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Its pool is full when the caller sees the cancellation, and not some time later."""
        async with database.enrolment.over_client(database.dsn, database.namespace) as over:

            def pool_is_full() -> None:
                assert over.taken is None or over.taken() == 0, "a call that has ended holds a connection"

            async with Keep(over.adapter) as keep:
                await _cancel_everywhere(keep, pool_is_full)
            assert await over.client_works()
        assert await _noise(caplog) == []

    @proves("ERR-3", "ERR-2")
    @needs_wire
    async def test_a_broken_call_shows_no_content(self, database: Database, caplog: pytest.LogCaptureFixture) -> None:
        """Neither in the error nor in what Agentkeep logs of its second try."""
        caplog.set_level(logging.DEBUG, "agentkeep")
        async with bench_of(database, **database.enrolment.short_timeout) as bench:
            for fault in (Fault.CUT_BEFORE_SEND, Fault.CUT_BEFORE_REPLY, Fault.CUT_MID_REPLY, Fault.STALL_REPLY):
                for then_refuse in (False, True):
                    victim, _ = await bench.furnished()
                    bench.proxy.arm(fault, then_refuse=then_refuse)
                    error = await error_of(
                        victim.messages.append(
                            "s", [said(SECRET, id="n", metadata={"k": SECRET})], update={"state": {"k": SECRET}}
                        )
                    )
                    bench.proxy.restore()
                    assert SECRET not in f"{error} {error!r}"
        ours = [record for record in caplog.records if record.name.partition(".")[0] == "agentkeep"]
        assert not [record for record in ours if SECRET in record.getMessage() + str(record.exc_text or "")]

    @proves("ERR-3", "ERR-1")
    @needs_wire
    async def test_a_server_that_cannot_be_reached_is_named_without_its_password(
        self, database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        given = unquote(urlsplit(database.dsn).password or "")
        password = given or SECRET
        address = database.enrolment.server.address
        assert address is not None
        shown: list[str] = []
        async with Proxy(*address) as proxy:
            urls = [_with_password(proxy.through(database.dsn), password)]
            if given:
                urls.append(database.dsn.replace(password, f"{password}-wrong"))
            proxy.refuse()
            for url in urls:
                keep = Keep(database.enrolment.open(url, database.namespace))
                with pytest.raises(PersistenceError) as caught:
                    await keep.open()
                shown += [str(caught.value), repr(caught.value), repr(keep), repr(keep.adapter)]
            proxy.restore()
            async with Keep(database.enrolment.open(proxy.through(database.dsn), database.namespace)) as keep:
                proxy.refuse()
                with pytest.raises(PersistenceError) as caught:
                    await keep.sessions.create("s")
                shown += [str(caught.value), repr(caught.value)]
                proxy.restore()
        logged = [record.getMessage() for record in caplog.records if record.name.startswith("agentkeep")]
        assert not [text for text in [*shown, *logged] if password in text]


def _with_password(url: str, password: str) -> str:
    """The URL, with a password if it has none."""
    parts = urlsplit(url)
    return url if parts.password else parts._replace(netloc=f"user:{password}@{parts.netloc}").geturl()
