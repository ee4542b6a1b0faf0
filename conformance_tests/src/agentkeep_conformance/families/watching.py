"""Watch if it is declared; a refusal if not (WATCH-1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from statistics import median

import pytest
from agentkeep import CapabilityNotSupported, Closed, Keep, Message, SessionNotFound, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.ttl import SHORT
from agentkeep_conformance.samples import PATIENCE_SECONDS, ids, numbered, said, seqs, whole

_MEETINGS = 5
_STEP_SECONDS = 0.02
_STEPS = 15
"""A watcher that is not told of a change looks once a second. Somebody who reads after each pause of `_STEP_SECONDS`
has read more often by then. A busy machine slows those reads too, so a watcher that is told needs no more of them."""


async def watches(database: Database, keep: View) -> bool:
    """True where watch is declared; else shows that it is refused, with nothing touched."""
    if keep.capabilities.watch:
        return True
    await keep.sessions.create("refused")
    before = await whole(keep, "refused")
    with pytest.raises(CapabilityNotSupported) as caught:
        await anext(keep.messages.watch("refused", after_seq=0))
    assert caught.value.name == "watch"
    assert await whole(keep, "refused") == before
    database.refused("watch")
    return False


@asynccontextmanager
async def watching(keep: View, session_id: str, after_seq: int = 0) -> AsyncGenerator[list[Message]]:
    """What a watcher, running beside the test, has met so far. Its error, if any, is raised at the end."""
    met: list[Message] = []

    async def watch() -> None:
        async with aclosing(keep.messages.watch(session_id, after_seq=after_seq)) as messages:
            async for message in messages:
                met.append(message)

    task = asyncio.create_task(watch())
    try:
        yield met
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if not task.cancelled():
        task.result()


async def met_so_far(met: list[Message], count: int) -> list[Message]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(met) < count:  # noqa: ASYNC110 - the watcher is the thing under test and sets no event
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    return met


async def steps_until(waiting: asyncio.Future[Message], reader: Keep) -> int:
    """How often somebody else reads the session, one step after the other, before the watcher goes on."""
    steps = 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not waiting.done():
            await asyncio.sleep(_STEP_SECONDS)
            await reader.messages.list("s", limit=1)
            steps += 1
    return steps


async def time_to_look(reader: Keep) -> None:
    """As many reads of session "s" as a watcher that has just begun to wait can need at most for its first look."""
    for _ in range(_STEPS):
        await asyncio.sleep(_STEP_SECONDS)
        await reader.messages.list("s", limit=1)


class Watching:
    @proves("WATCH-1")
    async def test_what_was_there_and_what_lands_is_met_once_in_order(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        if await watches(database, keep):
            await keep.sessions.create("s")
            await keep.messages.append("s", numbered(3))
            async with watching(keep, "s") as met:
                await met_so_far(met, 3)
                await twin.messages.append("s", numbered(2, start=4))
                await met_so_far(met, 5)
                await keep.messages.append("s", numbered(100, start=6))
                assert seqs(await met_so_far(met, 105)) == list(range(1, 106))
            assert met == [message async for message in twin.messages.iterate("s")]

    @proves("WATCH-1")
    @pytest.mark.parametrize("after_seq", [0, 2, 3, 7])
    async def test_a_watch_begins_behind_its_seq(self, database: Database, keep: Keep, after_seq: int) -> None:
        if await watches(database, keep):
            await keep.sessions.create("s")
            await keep.messages.append("s", numbered(3))
            async with watching(keep, "s", after_seq) as met:
                await keep.messages.append("s", numbered(6, start=4))
                assert seqs(await met_so_far(met, 9 - after_seq)) == list(range(after_seq + 1, 10))

    @proves("WATCH-1", "ORD-3")
    async def test_racing_appends_are_each_met_once_by_every_watcher(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        if await watches(database, keep):
            await keep.sessions.create("s")
            async with watching(keep, "s") as one, watching(twin, "s") as other:
                await asyncio.gather(*(instance.messages.append("s", [said()] * 2) for instance in (keep, twin) * 25))
                for met in (one, other):
                    assert seqs(await met_so_far(met, 100)) == list(range(1, 101))

    @proves("WATCH-1")
    async def test_a_watcher_that_comes_back_misses_and_repeats_nothing(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        if await watches(database, keep):
            await keep.sessions.create("s")
            met: list[int] = []
            for round_ in range(5):
                await twin.messages.append("s", [said()] * 3)
                async with aclosing(keep.messages.watch("s", after_seq=met[-1] if met else 0)) as messages:
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        met += [(await anext(messages)).seq for _ in range(1 + round_ % 3)]
            assert met == list(range(1, len(met) + 1))

    @proves("WATCH-1", "ISO-1")
    async def test_only_its_own_session_is_met(self, database: Database, keep: Keep) -> None:
        if await watches(database, keep):
            other = keep.for_tenant("other")
            for view, name in ((keep, "s"), (keep, "t"), (other, "s")):
                await view.sessions.create(name)
            async with watching(keep, "s") as met:
                for view, name in ((keep, "t"), (other, "s"), (keep, "s")):
                    await view.messages.append(name, [said(id=f"{name} of {view!r}")])
                assert ids(await met_so_far(met, 1)) == [f"s of {keep!r}"]

    @proves("WATCH-1", "ORD-1")
    async def test_cuts_do_not_confuse_a_watcher(self, database: Database, keep: Keep, twin: Keep) -> None:
        if await watches(database, keep):
            await keep.sessions.create("s")
            async with watching(keep, "s") as met:
                await twin.messages.append("s", numbered(3))
                await met_so_far(met, 3)
                await twin.messages.append("s", [said("again")], truncate_after=1)
                await met_so_far(met, 4)
                await twin.messages.clear("s")
                await twin.messages.append("s", [said("more")])
                assert seqs(await met_so_far(met, 5)) == [1, 2, 3, 4, 5]

    @proves("WATCH-1", "SES-4")
    @pytest.mark.parametrize("end", ["delete", "delete and create", "expiry"])
    async def test_a_watch_ends_with_its_session(self, database: Database, keep: Keep, twin: Keep, end: str) -> None:
        if await watches(database, keep):
            await keep.sessions.create("s")
            await keep.messages.append("s", numbered(2))
            async with aclosing(keep.messages.watch("s", after_seq=0)) as messages:
                assert [(await anext(messages)).seq for _ in range(2)] == [1, 2]
                await (twin.sessions.touch("s", SHORT) if end == "expiry" else twin.sessions.delete("s"))
                if end == "delete and create":
                    await twin.sessions.create("s")
                    await twin.messages.append("s", [said("of another")] * 3)
                with pytest.raises(SessionNotFound):
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        await anext(messages)

    @proves("WATCH-1")
    @pytest.mark.parametrize("writer", ["itself", "another instance"])
    async def test_a_waiting_watcher_meets_a_message_as_it_lands(
        self, database: Database, keep: Keep, twin: Keep, writer: str
    ) -> None:
        if await watches(database, keep):
            view = keep if writer == "itself" else twin
            await keep.sessions.create("s")
            steps: list[int] = []
            async with aclosing(keep.messages.watch("s", after_seq=0)) as messages:
                for _ in range(_MEETINGS):
                    waiting = asyncio.ensure_future(anext(messages))
                    await asyncio.sleep(0.05)
                    await view.messages.append("s", [said()])
                    steps.append(await steps_until(waiting, twin))
                    await waiting
            assert median(steps) < _STEPS, steps

    @proves("WATCH-1", "SES-4", "ISO-1")
    async def test_an_absent_or_foreign_session_can_not_be_watched(self, database: Database, keep: Keep) -> None:
        if await watches(database, keep):
            await keep.sessions.create("s", user_id="u")
            for view in (keep.for_tenant("other"), keep.for_user("u2")):
                with pytest.raises(SessionNotFound):
                    await anext(view.messages.watch("s", after_seq=0))
            with pytest.raises(SessionNotFound):
                await anext(keep.messages.watch("nobody", after_seq=0))

    @proves("LIFE-2", "WATCH-1")
    async def test_a_watch_ends_when_its_keep_is_closed(self, database: Database, keep: Keep, twin: Keep) -> None:
        if await watches(database, keep):
            await keep.sessions.create("s")
            waiting = asyncio.ensure_future(anext(keep.messages.watch("s", after_seq=0)))
            await asyncio.sleep(0.1)
            await keep.close()
            with pytest.raises(Closed):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await waiting
            assert (await twin.sessions.get("s")).message_count == 0

    @proves("LIFE-2", "WATCH-1")
    async def test_a_keep_that_was_opened_again_is_watched_as_before(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        if await watches(database, keep):
            await keep.sessions.create("s")
            for seq in (1, 2):
                async with watching(keep, "s", after_seq=seq - 1) as met:
                    await twin.messages.append("s", [said()])
                    assert seqs(await met_so_far(met, 1)) == [seq]
                await keep.close()
                await keep.open()
