"""Calls from other event loops, threads, trio and forked children: they work or say what to do, and never hang."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
from agentkeep import Closed, Keep, NewMessage, PersistenceError, sync

from agentkeep_conformance.cancelling import When, awaits_of, was_cancelled
from agentkeep_conformance.clauses import needs, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.delegating import Delegating
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

_FACES = ["a keep", "a keep with its own loop", "a sync keep", "the sync face of an open keep"]

_SAYS = ("loop", "asyncio", "process")
"""An error that tells what to do names one of these."""


async def in_thread(run: Callable[[], Any]) -> Any:
    """What `run` returns in a thread of its own. A thread that hangs fails the test."""
    found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def work() -> None:
        try:
            result, error = run(), None
        except BaseException as raised:  # noqa: BLE001 - the test's, to be raised there
            result, error = None, raised
        loop.call_soon_threadsafe(lambda: found.set_exception(error) if error else found.set_result(result))

    threading.Thread(target=work, daemon=True).start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await found


def _told(run: Callable[[], Any]) -> str:
    """"" if it worked, else what our error says. Any other error leaves here."""
    try:
        run()
    except PersistenceError as error:
        assert any(word in str(error) for word in _SAYS), f"{error!r} does not say what to do"
        return str(error)
    return ""


class Loops:
    @proves("ERR-1", "LIFE-3")
    @pytest.mark.parametrize("name", ELSEWHERE)
    async def test_a_second_loop_is_served_or_told_what_to_do(self, database: Database, keep: Keep, name: str) -> None:
        await furnish(keep)
        await in_thread(lambda: _told(lambda: asyncio.run(_awaited(ELSEWHERE[name](keep)))))
        await ELSEWHERE[name](keep)
        assert await keep.messages.count("x") == 5

    @proves("ERR-1")
    @pytest.mark.parametrize("name", ELSEWHERE)
    async def test_under_trio_a_call_works_or_says_what_to_do(self, database: Database, keep: Keep, name: str) -> None:
        await furnish(keep)
        await in_thread(lambda: _told(lambda: trio.run(_awaited, ELSEWHERE[name](keep))))
        await ELSEWHERE[name](keep)
        assert await keep.messages.count("x") == 5

    @proves("ERR-1")
    async def test_opened_under_trio_it_works_or_says_what_to_do(self, database: Database) -> None:
        async def use() -> None:
            keep = Keep(database.unopened())
            await keep.open()
            await furnish(keep)
            await keep.close()

        await in_thread(lambda: _told(lambda: trio.run(use)))

    @proves("ERR-1")
    @pytest.mark.parametrize("face", _FACES)
    async def test_a_forked_child_is_served_or_told_what_to_do(self, database: Database, face: str) -> None:
        told, works_afterwards = await database.in_process(_fork_and_call, face)
        assert told == "" or any(word in told for word in _SAYS), told
        assert works_afterwards == 3

    @proves("LIFE-3")
    async def test_a_keep_with_its_own_loop_serves_every_loop_and_thread(self, database: Database, keep: Keep) -> None:
        await furnish(keep)
        before = threading.active_count()
        async with Keep(database.unopened(), own_loop=True) as own:
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
        async with Keep(database.unopened(), own_loop=True) as own:
            expected = await expectation(own.for_tenant("undisturbed"), name)
            await furnish(own.for_tenant("counted"))
            awaits = await awaits_of(_awaited(WRITES[name].run(own.for_tenant("counted"))))
            for at, when in [(at, when) for at in range(1, awaits + 2) for when in When]:
                view = own.for_tenant(f"{at}-{when.name}")
                await furnish(view)
                await was_cancelled(_awaited(WRITES[name].run(view)), at, when)
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
                async with asyncio.timeout(PATIENCE_SECONDS):
                    async for message in own.messages.watch("s", after_seq=0):
                        met.append(message.seq)
                        if len(met) == 3:
                            return met
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

    @proves("LIFE-5")
    async def test_the_sync_keep_is_called_from_threads_and_in_a_running_loop(self, database: Database) -> None:
        with sync.over(Keep(database.unopened())) as keep:
            keep.sessions.create("s")  # blocks this event loop, and does not need it

            def work(number: int) -> None:
                for part in range(5):
                    keep.messages.append("s", [NewMessage(role="user", id=f"{number}.{part}")])

            await asyncio.gather(*(in_thread(partial(work, number)) for number in range(6)))
            assert [message.seq for message in keep.messages.iterate("s")] == list(range(1, 31))
        with pytest.raises(Closed):
            keep.sessions.get("s")

    @proves("LIFE-5")
    async def test_a_callers_coroutine_runs_on_the_loop_of_the_sync_keep(self, database: Database) -> None:
        with sync.over(Keep(database.unopened())) as keep:
            keep.sessions.create("s")
            twin = keep.asynchronous

            async def turn(number: int) -> tuple[int, int]:
                [message] = await twin.messages.append("s", [said()])
                return number * message.seq, threading.get_ident()

            first, thread = keep.run(turn(10))
            second, other = await keep.arun(turn(100))
            third, another = await in_thread(lambda: trio.run(keep.arun, turn(1_000)))
            assert (first, second, third) == (10, 200, 3_000)
            assert thread == other == another != threading.get_ident()
            for run in (_in_task(keep.run), keep.arun):
                with pytest.raises(ZeroDivisionError):
                    await run(_divide(1, 0))

    @proves("LIFE-5")
    async def test_in_its_own_loops_thread_the_sync_keep_raises(self, database: Database) -> None:
        with sync.over(Keep(database.unopened())) as keep:
            keep.sessions.create("s")

            async def inside() -> list[str]:
                told: list[str] = []
                for call in (
                    lambda: keep.sessions.get("s"),
                    lambda: keep.messages.append("s", [said()]),
                    lambda: list(keep.messages.iterate("s")),
                    lambda: keep.run(_divide(1, 1)),
                    keep.close,
                ):
                    with pytest.raises(PersistenceError) as caught:
                        call()
                    told.append(str(caught.value))
                return told

            async with asyncio.timeout(PATIENCE_SECONDS):
                told = await keep.arun(inside())
            assert all("loop" in text or "thread" in text for text in told), told
            assert keep.messages.count("s") == 0

    @proves("LIFE-5", "FLT-3")
    async def test_a_cancelled_arun_cancels_the_coroutine(self, database: Database) -> None:
        with sync.over(Keep(database.unopened())) as keep:
            ended: list[str] = []

            async def sleep() -> None:
                ended.append("begun")
                try:
                    await asyncio.sleep(PATIENCE_SECONDS * 9)
                except asyncio.CancelledError:
                    ended.append("cancelled")
                    raise

            task = asyncio.create_task(keep.arun(sleep()))
            while not ended:  # noqa: ASYNC110 - it begins in another thread
                await asyncio.sleep(0.01)
            task.cancel()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled()
            assert ended == ["begun", "cancelled"]


async def _awaited(call: Awaitable[Any]) -> Any:
    return await call


async def _divide(one: int, other: int) -> float:
    return one / other


def _in_task(run: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def call(*args: Any) -> Any:
        return run(*args)

    return call


class _Slow(Delegating):
    """An append that takes for ever while `is_slow`."""

    is_slow = False
    cancelled = 0
    begun = threading.Event()

    async def messages_append(self, *args: Any) -> Any:
        if self.is_slow:
            try:
                self.begun.set()
                await asyncio.sleep(PATIENCE_SECONDS * 9)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return await self.inner.messages.append(*args)


async def _cancel_append(keep: Keep, slow: _Slow) -> None:
    """In any loop: begin an append, cancel it; when this returns, the append has ended on the keep's own loop."""
    slow.begun = threading.Event()
    before = slow.cancelled
    task = asyncio.ensure_future(keep.messages.append("s", [said()]))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not slow.begun.is_set():  # noqa: ASYNC110 - it begins in another thread
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert slow.cancelled == before + 1


async def _fork_and_call(keep: Keep, face: str) -> tuple[str, int]:
    """In a child process: use a keep, fork, and call it in the copy. What the copy was told; what works afterwards."""
    await keep.sessions.create("s")
    await keep.messages.append("s", [said()])
    if face == "a sync keep":
        await keep.close()
        with sync.over(Keep(keep.adapter)) as blocking:
            return await asyncio.to_thread(_fork_and_block, blocking)
    if face == "the sync face of an open keep":
        return await asyncio.to_thread(_fork_and_block, sync.over(keep).open())
    used = keep
    if face == "a keep with its own loop":
        await keep.close()
        used = await Keep(keep.adapter, own_loop=True).open()
    told = await asyncio.to_thread(_in_copy, lambda: asyncio.run(_awaited(used.sessions.get("s"))))
    await used.messages.append("s", [said()])
    await used.messages.append("s", [said()])
    count = await used.messages.count("s")
    await used.close()
    return told, count


def _fork_and_block(keep: sync.SyncKeep) -> tuple[str, int]:
    told = _in_copy(lambda: keep.sessions.get("s"))
    keep.messages.append("s", [said()])
    keep.messages.append("s", [said()])
    return told, keep.messages.count("s")


def _in_copy(call: Callable[[], Any]) -> str:
    """Fork, and make a call in the copy: "" if it worked, else what its error says, or that it hung."""
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(PATIENCE_SECONDS)  # which ends the copy if it hangs
        try:
            told = _told(call)
        except BaseException as error:  # noqa: BLE001 - nothing may leave the copy
            told = f"raised {type(error).__name__}"
        os.write(sending, told.encode())
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving) as pipe:
        told = pipe.read()
    _, status = os.waitpid(pid, 0)
    return told if status == 0 else "it hung, or died"
