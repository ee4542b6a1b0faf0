"""Watching at scale and through trouble: long backlogs, lost connections, a thousand watchers (WATCH-1, WATCH-2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from time import monotonic

import pytest
from agentkeep import Keep, Message, SessionNotFound
from agentkeep.keep import View

from agentkeep_conformance.clauses import needs_wire, proves, takes_long
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.watching import met_so_far, time_to_look, watches, watching
from agentkeep_conformance.proxy import Proxy
from agentkeep_conformance.samples import PATIENCE_SECONDS, at_once, numbered, said, seqs


@asynccontextmanager
async def watched_by_proxy(database: Database) -> AsyncGenerator[tuple[Proxy, Keep]]:
    """A keep that reaches the server over a proxy, with as few connections as it can."""
    address = database.enrolment.server.address
    assert address is not None, "an embedded adapter has no wire"
    async with Proxy(*address) as proxy:
        dsn, namespace = proxy.through(database.dsn), database.namespace
        async with Keep(database.enrolment.open(dsn, namespace, **database.enrolment.one_connection)) as keep:
            yield proxy, keep


async def _sessions(keep: Keep, names: Sequence[str]) -> None:
    async def make(name: str) -> None:
        await keep.sessions.create(name)
        await keep.messages.append(name, [said()])

    await at_once([make(name) for name in names])


@asynccontextmanager
async def all_watched(keep: View, names: Sequence[str]) -> AsyncGenerator[dict[str, list[Message]]]:
    """A watcher of each session, each of which has seen the first message."""
    async with AsyncExitStack() as watchers:
        met = {name: await watchers.enter_async_context(watching(keep, name)) for name in names}
        async with asyncio.timeout(PATIENCE_SECONDS * 3):
            while not all(met.values()):  # noqa: ASYNC110 - the watchers are the thing under test and set no event
                await asyncio.sleep(0.02)
        yield met


class WatchingMany:
    @proves("WATCH-1", "ORD-3")
    async def test_a_long_backlog_is_met_once_in_order_while_more_lands(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        if await watches(database, keep):
            await keep.sessions.create("s")
            for start in range(0, 1_500, 500):
                await keep.messages.append("s", [said(f"{start + part}") for part in range(500)])
            async with watching(keep, "s", 100) as met:
                for _ in range(20):
                    await twin.messages.append("s", [said()] * 5)
                assert seqs(await met_so_far(met, 1_500)) == list(range(101, 1_601))

    @proves("WATCH-1", "ISO-1")
    async def test_a_watch_ends_when_the_session_leaves_the_view(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        if await watches(database, keep):
            await keep.sessions.create("s", user_id="u1")
            await keep.messages.append("s", numbered(2))
            async with watching(keep, "s") as met:
                messages = keep.for_user("u1").messages.watch("s", after_seq=0)
                assert [(await anext(messages)).seq for _ in range(2)] == [1, 2]
                await twin.messages.append("s", [said()], update={"user_id": "u2"})
                with pytest.raises(SessionNotFound):
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        await anext(messages)
                assert seqs(await met_so_far(met, 3)) == [1, 2, 3]

    @proves("WATCH-1", "SES-4")
    @pytest.mark.parametrize("after_seq", [1, 3], ids=["met some", "met nothing yet"])
    async def test_another_life_of_the_id_is_not_the_session_that_is_watched(
        self, database: Database, keep: Keep, twin: Keep, after_seq: int
    ) -> None:
        """Also if the new life is as long as the old one when the watcher reads next."""
        if await watches(database, keep):
            await keep.sessions.create("s")
            await keep.messages.append("s", numbered(3))
            async with aclosing(keep.messages.watch("s", after_seq=after_seq)) as messages:
                met = [(await anext(messages)).seq for _ in range(after_seq, 3)]
                assert met == list(range(after_seq + 1, 4))
                waiting = asyncio.ensure_future(anext(messages))
                await time_to_look(twin)
                await twin.sessions.delete("s")
                await twin.messages.append("s", [said("of another life")] * 5, create={})
                with pytest.raises(SessionNotFound):
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        await waiting

    @proves("WATCH-1", "FLT-2")
    @needs_wire
    async def test_nothing_is_missed_while_the_server_is_away(self, database: Database, twin: Keep) -> None:
        async with watched_by_proxy(database) as (proxy, keep):
            if await watches(database, keep):
                await keep.sessions.create("s")
                await keep.messages.append("s", numbered(3))
                async with watching(keep, "s") as met, watching(keep, "s", 2) as other:
                    await met_so_far(met, 3)
                    for round_ in range(3):
                        if round_ == 1:
                            proxy.cut()
                        else:
                            proxy.refuse()
                        await twin.messages.append("s", [said(), said()])
                        await asyncio.sleep(0.3)
                        proxy.restore()
                        await twin.messages.append("s", [said()])
                        await met_so_far(met, 3 + 3 * (round_ + 1))
                    assert seqs(await met_so_far(met, 12)) == list(range(1, 13))
                    assert seqs(await met_so_far(other, 10)) == list(range(3, 13))

    @takes_long
    @proves("WATCH-2")
    async def test_an_append_is_no_more_work_with_watchers_of_other_sessions(self, database: Database) -> None:
        adapter = database.unopened()
        async with Keep(adapter) as keep:
            if await watches(database, keep):
                names = [f"s{number}" for number in range(_watchers(database, embedded=1_000))]
                await _sessions(keep, ["mine", *names])

                async def append() -> None:
                    await keep.messages.append("mine", [said()])
                    for _ in range(5):  # who is woken runs now
                        await asyncio.sleep(0)

                alone = min([await database.enrolment.work(adapter, append) for _ in range(7)])
                most = alone * 1.5 + 100
                async with all_watched(keep, names):
                    among_watchers = await database.enrolment.work(adapter, append)
                    for _ in range(60):  # until the watchers' own first reads are over, which share the loop
                        if among_watchers <= most:
                            break
                        await asyncio.sleep(0.1)
                        among_watchers = min(among_watchers, await database.enrolment.work(adapter, append))
                assert among_watchers <= most, f"{alone} steps alone, {among_watchers} with watchers"

    @proves("WATCH-2", "WATCH-1")
    @needs_wire
    async def test_watchers_of_other_sessions_are_not_woken(self, database: Database, twin: Keep) -> None:
        """Counted are the reads of the watchers' keep, while another keep appends, and while nobody does."""
        async with watched_by_proxy(database) as (proxy, keep):
            if await watches(database, keep):
                names = [f"s{number}" for number in range(_watchers(database, embedded=1_000))]
                await _sessions(twin, ["mine", *names])
                async with all_watched(keep, names), watching(keep, "mine") as mine:
                    await met_so_far(mine, 1)
                    await asyncio.sleep(0.2)
                    quiet = await _reads_in_a_second(proxy, twin, appends=0)
                    busy = await _reads_in_a_second(proxy, twin, appends=100)
                    assert seqs(await met_so_far(mine, 101)) == list(range(1, 102))
                    assert busy <= quiet * 3 + 300, f"{quiet} reads in a second without appends, {busy} with 100"

    @proves("WATCH-2", "FLT-4")
    @needs_wire
    async def test_all_watchers_of_a_keep_share_one_connection(self, database: Database, twin: Keep) -> None:
        async with watched_by_proxy(database) as (proxy, keep):
            if await watches(database, keep):
                names = [f"s{number}" for number in range(60)]
                await _sessions(twin, names)
                assert len(await keep.messages.tail("s0", 5)) == 1
                before = proxy.connections
                async with all_watched(keep, names), all_watched(keep.for_user("u"), []):
                    assert proxy.connections <= before + 1, f"{before} connections without watchers"
                    await twin.messages.append("s7", [said()])
                    assert proxy.connections <= before + 1
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while proxy.connections > before:  # noqa: ASYNC110 - it waits for the network
                        await asyncio.sleep(0.02)


def _watchers(database: Database, *, embedded: int) -> int:
    return embedded if database.enrolment.server.embedded or database.tier == "nightly" else 200


async def _reads_in_a_second(proxy: Proxy, keep: Keep, *, appends: int) -> float:
    proxy.reset()
    started = monotonic()
    for _ in range(appends):
        await keep.messages.append("mine", [said()])
    await asyncio.sleep(max(0, 1 - (monotonic() - started)))
    return proxy.traffic.round_trips / max(1, monotonic() - started)
