"""The sync keep: called from threads and inside a running loop; what runs on its loop for a caller (LIFE-5)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
from agentkeep import Closed, Keep, NewMessage, PersistenceError, sync

from agentkeep_conformance.clauses import needs_two_loops, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.elsewhere import in_thread
from agentkeep_conformance.samples import PATIENCE_SECONDS, said


class SyncFaces:
    @proves("LIFE-5")
    @needs_two_loops
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

    @proves("LIFE-2", "LIFE-3", "LIFE-5")
    @needs_two_loops
    async def test_a_sync_face_closes_what_it_opened_itself_each_time(self, database: Database) -> None:
        keep = Keep(database.unopened(), own_loop=True)
        face = sync.over(keep)

        def use() -> None:
            with face:
                face.sessions.get_or_create("s")

        for is_open_before in (False, True, True, False, True):
            if is_open_before:
                await keep.open()
            await in_thread(use)
            if is_open_before:
                assert await keep.sessions.count() >= 0
                await keep.close()
            with pytest.raises(Closed):
                await keep.sessions.get("s")

    @proves("LIFE-5")
    @needs_two_loops
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
                ended.append("started")
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
            assert ended == ["started", "cancelled"]


async def _divide(one: int, other: int) -> float:
    return one / other


def _in_task(run: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def call(*args: Any) -> Any:
        return run(*args)

    return call
