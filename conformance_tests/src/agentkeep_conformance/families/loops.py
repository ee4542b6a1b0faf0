"""Calls from other event loops, threads, trio and forked children: they work or say what to do, and never hang."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest
import trio
from agentkeep import Keep, PersistenceAdapter, PersistenceError, sync

from agentkeep_conformance.cancelling import When, was_cancelled
from agentkeep_conformance.cancelling_elsewhere import CutWithin
from agentkeep_conformance.clauses import needs, needs_two_loops, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.delegating import Delegating
from agentkeep_conformance.elsewhere import awaited, fork_and_call_each, in_thread, says_what_to_do, told
from agentkeep_conformance.operations import READS, WRITES, expectation, furnish, world_of
from agentkeep_conformance.samples import PATIENCE_SECONDS, said, seqs

Call = Callable[[Keep], Awaitable[Any]]

ELSEWHERE: dict[str, Call] = {
    "read": READS["get"],
    "tail": READS["messages.tail"],
    "append": WRITES["append a batch"].run,
    "update": WRITES["update"].run,
    "health": lambda keep: keep.health(),
    "sweep": lambda keep: keep.sweep(),
}
"""One call of each kind, for furnished data."""


class Loops:
    @proves("ERR-1", "LIFE-3")
    @pytest.mark.parametrize("name", ELSEWHERE)
    async def test_a_second_loop_is_served_or_told_what_to_do(self, database: Database, keep: Keep, name: str) -> None:
        await furnish(keep)
        problem = await in_thread(lambda: told(lambda: asyncio.run(awaited(ELSEWHERE[name](keep)))))
        assert not problem or says_what_to_do(problem), problem
        await ELSEWHERE[name](keep)
        assert await keep.messages.count("x") == 5

    @proves("ERR-1")
    @pytest.mark.parametrize("name", ELSEWHERE)
    async def test_under_trio_a_call_works_or_says_what_to_do(self, database: Database, keep: Keep, name: str) -> None:
        await furnish(keep)
        problem = await in_thread(lambda: told(lambda: trio.run(awaited, ELSEWHERE[name](keep))))
        assert not problem or says_what_to_do(problem), problem
        await ELSEWHERE[name](keep)
        assert await keep.messages.count("x") == 5

    @proves("ERR-1")
    async def test_opened_under_trio_it_works_or_says_what_to_do(self, database: Database) -> None:
        async def use() -> None:
            keep = Keep(database.unopened())
            await keep.open()
            await furnish(keep)
            await keep.close()

        problem = await in_thread(lambda: told(lambda: trio.run(use)))
        assert not problem or says_what_to_do(problem), problem

    @proves("ERR-1")
    async def test_a_forked_child_is_served_or_told_what_to_do(self, database: Database) -> None:
        """The copy of a keep, of one with its own loop, of a sync keep, and of the sync face of an open keep."""
        for face, problem, works_afterwards in await database.in_process(fork_and_call_each):
            assert not problem or says_what_to_do(problem), f"{face}: {problem}"
            assert works_afterwards == 3, face

    @proves("LIFE-3")
    @needs_two_loops
    async def test_a_keep_with_its_own_loop_serves_every_loop_and_thread(self, database: Database, keep: Keep) -> None:
        await furnish(keep)
        before = threading.active_count()
        threads = _Threads(database.unopened())
        async with Keep(threads, own_loop=True) as own:
            assert (await own.sessions.get("s")).id == "s"

            def append(number: int) -> Any:
                return own.messages.append("s", [said(id=f"new{number}.{part}") for part in range(3)])

            async def several(first: int) -> None:
                await asyncio.gather(*(append(first + number) for number in range(5)))

            face = sync.over(own).open()
            await asyncio.gather(
                several(0),
                *(in_thread(lambda first=first: asyncio.run(several(first))) for first in (10, 20, 30)),
                in_thread(lambda: trio.run(append, 40)),
                in_thread(lambda: face.messages.append("s", [said(id=f"new41.{part}") for part in range(3)])),
            )
            assert seqs(await own.messages.tail("s", 100)) == list(range(1, 5 + 22 * 3 + 1))
            assert len(threads.met) == 1
            assert threads.met != {threading.get_ident()}
        assert threading.active_count() <= before + 1, "a thread is left"

    @proves("LIFE-3", "FLT-3")
    async def test_a_cancelled_call_is_cancelled_on_the_keeps_own_loop(self, database: Database) -> None:
        slow = _Slow(database.unopened())
        async with Keep(slow, own_loop=True) as own:
            await own.sessions.create("s")
            for elsewhere in (False, True):
                slow.is_slow = True
                cancel = partial(_cancel_append, own, slow)
                await (in_thread(lambda cancel=cancel: asyncio.run(cancel())) if elsewhere else cancel())
                slow.is_slow = False
                assert len(await own.messages.append("s", [said()])) == 1
            assert slow.cancelled == 2
            assert await own.messages.count("s") == 2

    @proves("LIFE-3", "FLT-3", "ORD-6")
    @pytest.mark.parametrize("name", ["append a turn", "update", "delete", "fork"])
    async def test_a_write_cancelled_from_another_loop_is_done_or_not(self, database: Database, name: str) -> None:
        """While the caller waits, and at each await of the verbs on the keep's own loop."""
        cut = CutWithin(database.unopened())
        async with Keep(cut, own_loop=True) as own:
            expected = await expectation(own.for_tenant("undisturbed"), name)
            await furnish(own.for_tenant("counted"))
            await cut.run(awaited(WRITES[name].run(own.for_tenant("counted"))))
            for at in range(1, cut.awaits + 2):
                view = own.for_tenant(f"{at}")
                await furnish(view)
                await cut.run(awaited(WRITES[name].run(view)), at=at)
                expected.is_before_or_after(await world_of(view))
            for when in When:
                view = own.for_tenant(when.name)
                await furnish(view)
                await was_cancelled(awaited(WRITES[name].run(view)), 1, when)
                expected.is_before_or_after(await world_of(view))

    @proves("LIFE-3", "WATCH-1")
    async def test_a_keep_with_its_own_loop_can_be_watched_from_another(self, database: Database) -> None:
        async with Keep(database.unopened(), own_loop=True) as own:
            await own.sessions.create("s")
            await own.messages.append("s", [said()])
            if not own.capabilities.watch:
                database.refused("watch")
                return

            async def watched() -> list[int]:
                met: list[int] = []
                async with (
                    asyncio.timeout(PATIENCE_SECONDS),
                    aclosing(own.messages.watch("s", after_seq=0)) as messages,
                ):
                    while len(met) < 3:
                        met.append((await anext(messages)).seq)
                return met

            watching = asyncio.create_task(in_thread(lambda: asyncio.run(watched())))
            await asyncio.sleep(0.05)
            await own.messages.append("s", [said(), said()])
            assert await watching == [1, 2, 3]

    @proves("LIFE-3", "LIFE-5")
    async def test_an_open_keep_has_a_sync_face(self, database: Database, keep: Keep) -> None:
        await furnish(keep)
        with sync.over(keep) as face:
            assert (await in_thread(lambda: face.sessions.get("s"))).id == "s"
            assert len(await in_thread(lambda: face.messages.append("s", [said()] * 3))) == 3
            assert [session.id for session in await in_thread(lambda: list(face.sessions.iterate()))] != []
            with pytest.raises(PersistenceError, match=r"loop|thread"):
                face.sessions.get("s")
        assert await keep.messages.count("s") == 8

    @proves("LIFE-3", "LIFE-2")
    @needs("over_client", "it takes no client of the caller's")
    async def test_a_keep_over_the_callers_client_has_a_sync_face(self, database: Database) -> None:
        async with database.enrolment.over_client(database.dsn, database.namespace) as over:
            async with Keep(over.adapter) as keep:
                await keep.sessions.create("s")
                face = sync.over(keep).open()
                assert (await in_thread(lambda: face.sessions.get("s"))).id == "s"
                await in_thread(lambda: face.messages.append("s", [said()]))
                assert await keep.messages.count("s") == 1
                face.close()
                assert await keep.messages.count("s") == 1
            assert await over.client_works()


class _Threads(Delegating):
    """Remembers in which threads it was asked to append."""

    def __init__(self, inner: PersistenceAdapter) -> None:
        super().__init__(inner)
        self.met: set[int] = set()

    async def messages_append(self, *args: Any) -> Any:
        self.met.add(threading.get_ident())
        return await self.inner.messages.append(*args)


class _Slow(Delegating):
    """An append that takes for ever while `is_slow`."""

    is_slow = False
    cancelled = 0
    started = threading.Event()

    async def messages_append(self, *args: Any) -> Any:
        if self.is_slow:
            try:
                self.started.set()
                await asyncio.sleep(PATIENCE_SECONDS * 9)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return await self.inner.messages.append(*args)


async def _cancel_append(keep: Keep, slow: _Slow) -> None:
    """In any loop: begin an append, cancel it; when this returns, the append has ended on the keep's own loop."""
    slow.started = threading.Event()
    before = slow.cancelled
    task = asyncio.ensure_future(keep.messages.append("s", [said()]))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not slow.started.is_set():  # noqa: ASYNC110 - it begins in another thread
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert slow.cancelled == before + 1
