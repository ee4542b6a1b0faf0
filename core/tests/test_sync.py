"""The sync facade: from a script, from threads, and inside a running event loop."""

from __future__ import annotations

import _thread
import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from agentkeep import (
    Closed,
    InvalidInput,
    Keep,
    NewMessage,
    OutcomeUnknown,
    SessionNotFound,
    Unavailable,
    connect,
    sync,
)
from agentkeep.records import Scope
from agentkeep_memory import MemoryAdapter


def test_every_verb_of_the_async_facade_is_there() -> None:
    from agentkeep.keep import View
    from agentkeep.messages import Messages
    from agentkeep.sessions import Sessions

    twins = (
        (sync.SyncSessions, Sessions), (sync.SyncMessages, Messages), (sync.SyncView, View), (sync.SyncKeep, Keep),
    )  # fmt: skip
    for ours, theirs in twins:
        verbs = {name for name in vars(theirs) if not name.startswith("_")}
        missing = {name for name in verbs if not hasattr(ours, name)}
        assert missing == set()


def test_a_script_appends_reads_and_iterates() -> None:
    with sync.connect("memory://") as keep:
        session = keep.sessions.create(user_id="ann")
        keep.messages.append(session.id, [NewMessage(role="user", content=str(n)) for n in range(3)])
        assert [message.content for message in keep.messages.iterate(session.id)] == ["0", "1", "2"]
        assert [found.id for found in keep.sessions.iterate(user_id="ann")] == [session.id]
        assert keep.for_tenant("acme").sessions.count() == 0
        assert keep.for_user("ann").sessions.count() == 1
        assert keep.sweep() == 0
        assert keep.health().adapter == keep.capabilities.durability.replace("process", "memory")
        with pytest.raises(SessionNotFound):
            keep.messages.tail("absent", 1)


def test_a_watch_can_be_left() -> None:
    with sync.connect("memory://") as keep:
        session = keep.sessions.create()
        keep.messages.append(session.id, [NewMessage(role="user", content="hi")])
        watching = keep.messages.watch(session.id, after_seq=0)
        assert next(watching).content == "hi"


def test_life_2_closed_before_open_and_after_close() -> None:
    keep = sync.connect("memory://")
    with pytest.raises(Closed):
        keep.sessions.count()
    keep.close()
    keep.open()
    assert keep.sessions.count() == 0
    keep.close()
    keep.close()
    with pytest.raises(Closed):
        keep.sessions.count()


def test_it_works_inside_a_running_loop_as_in_a_notebook() -> None:
    async def cell() -> int:
        with sync.connect("memory://") as keep:
            keep.sessions.create()
            return keep.sessions.count()

    assert asyncio.run(cell()) == 1


def test_ord_4_threads_may_share_one_keep() -> None:
    with sync.connect("memory://") as keep, ThreadPoolExecutor(8) as threads:
        session = keep.sessions.create()

        def work(n: int) -> None:
            keep.messages.append(session.id, [NewMessage(role="user", content=str(n))])

        list(threads.map(work, range(200)))
        assert [message.seq for message in keep.messages.iterate(session.id)] == list(range(1, 201))


class Failing(MemoryAdapter):
    async def open(self) -> None:
        raise Unavailable("no server")


def loop_threads() -> int:
    return sum(thread.name == "agentkeep-loop" for thread in threading.enumerate())


def test_an_open_that_fails_leaves_no_thread() -> None:
    before = loop_threads()
    keep = sync.over(Keep(Failing()))
    with pytest.raises(Unavailable, match="no server"):
        keep.open()
    assert loop_threads() == before
    with pytest.raises(Closed):
        keep.sessions.count()


def test_a_subclass_names_the_class_of_its_views() -> None:
    class Mine(sync.SyncView):
        pass

    class MyKeep(sync.SyncKeep):
        view_class = Mine

    with MyKeep(connect("memory://")) as keep:
        assert type(keep.for_tenant("acme")) is Mine
        assert type(keep.for_tenant("acme").for_user("ann")) is Mine
        assert type(keep.for_user("ann")) is Mine


def test_iso_1_a_view_has_no_life_cycle() -> None:
    with sync.connect("memory://") as keep:
        for view in (keep.for_tenant("acme"), keep.for_user("ann")):
            for name in ("open", "close", "__enter__", "__exit__", "for_tenant", "run", "arun"):
                assert not hasattr(view, name)


class TestOver:
    """`over(keep)` is the sync face of any keep (LIFE-3)."""

    def test_it_opens_and_closes_a_keep_that_is_not_open(self) -> None:
        keep = Keep(MemoryAdapter())
        with sync.over(keep) as face:
            face.sessions.create("s")
            assert face.asynchronous is keep
            assert face.adapter is keep.adapter
            assert asyncio.run(keep.sessions.count()) == 1, "the twin can be awaited in any loop"
        with pytest.raises(Closed):
            asyncio.run(keep.sessions.count())

    def test_it_runs_in_the_loop_of_a_keep_that_is_open_and_leaves_it_open(self) -> None:
        loops: list[object] = []

        class Recording(MemoryAdapter):
            async def sweep(self, scope: Scope | None, *, limit: int) -> int:
                loops.append(asyncio.get_running_loop())
                return await super().sweep(scope, limit=limit)

        async def app() -> None:
            async with Keep(Recording()) as keep:

                def worker() -> int:
                    with sync.over(keep) as face:
                        face.sessions.create("s")
                        face.sweep()
                        return face.sessions.count()

                assert await asyncio.to_thread(worker) == 1
                assert loops == [asyncio.get_running_loop()]
                assert await keep.sessions.count() == 1

        asyncio.run(app())

    def test_it_takes_a_keep_with_an_own_loop(self) -> None:
        with sync.connect("memory://", own_loop=True) as keep:
            keep.sessions.create()
            assert keep.sessions.count() == 1
            assert loop_threads() == 1

    def test_life_5_a_call_in_the_loops_own_thread_raises(self) -> None:
        async def app() -> None:
            async with Keep(MemoryAdapter()) as keep:
                with sync.over(keep) as face, pytest.raises(InvalidInput, match="wait for itself"):
                    face.sessions.count()

        asyncio.run(app())

    def test_it_says_so_if_the_keeps_loop_has_ended(self) -> None:
        keep = Keep(MemoryAdapter())
        asyncio.run(keep.open())
        with sync.over(keep) as face, pytest.raises(Closed, match="event loop in which this keep was opened has ended"):
            face.sessions.count()


class TestRun:
    """`run` and `arun` bring a caller's coroutine to the keep's loop (LIFE-5)."""

    def test_run_takes_a_coroutine_or_a_function(self) -> None:
        with sync.connect("memory://") as keep:
            twin = keep.asynchronous
            assert keep.run(twin.sessions.create("s")).id == "s"
            assert keep.run(twin.sessions.count) == 1
            assert keep.run(lambda: 5) == 5
            assert keep.run(asyncio.get_running_loop) is not None

    def test_what_the_call_raises_is_raised_and_the_loop_lives_on(self) -> None:
        with sync.connect("memory://") as keep:
            for error in (ValueError, SystemExit, KeyboardInterrupt):

                def fail(error: type[BaseException] = error) -> None:
                    raise error("mine")

                with pytest.raises(error, match="mine"):
                    keep.run(fail)
            assert keep.sessions.count() == 0

    def test_life_5_from_the_loops_own_thread_it_raises(self) -> None:
        with sync.connect("memory://") as keep:
            for call in (keep.sessions.count, lambda: keep.run(keep.asynchronous.sessions.count), keep.close):
                with pytest.raises(InvalidInput, match="wait for itself"):
                    keep.run(call)
            assert keep.sessions.count() == 0

    def test_arun_is_for_another_loop_which_goes_on(self) -> None:
        async def app(keep: sync.SyncKeep) -> list[int]:
            turns = 0

            async def count() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0.001)

            counting = asyncio.create_task(count())
            await keep.arun(lambda: asyncio.sleep(0.3))
            counting.cancel()
            return [turns, await keep.arun(keep.asynchronous.sessions.count())]

        with sync.connect("memory://") as keep:
            turns, sessions = asyncio.run(app(keep))
        assert turns > 5
        assert sessions == 0

    def test_closed_it_says_so(self) -> None:
        keep = sync.connect("memory://")
        with pytest.raises(Closed):
            keep.run(keep.asynchronous.sessions.count())
        with pytest.raises(Closed):
            asyncio.run(keep.arun(keep.asynchronous.sessions.count()))


def test_flt_3_ctrl_c_ends_the_call_before_it_is_seen() -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.05)
            ended.append("rolled back")

    with sync.connect("memory://") as keep:
        threading.Timer(0.2, _thread.interrupt_main).start()
        with pytest.raises(KeyboardInterrupt):
            keep.run(slow())
        assert ended == ["rolled back"]
        assert keep.sessions.count() == 0


def test_a_close_ends_the_calls_of_other_threads() -> None:
    keep = sync.connect("memory://").open()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(keep.run, lambda: asyncio.sleep(30))
        time.sleep(0.1)
        keep.close()
        with pytest.raises(OutcomeUnknown, match="closed while this call ran"):
            waiting.result(timeout=5)
