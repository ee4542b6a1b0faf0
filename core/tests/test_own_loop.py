"""`connect(url, own_loop=True)`: a keep on a loop in its own thread, for any loop, thread or framework (LIFE-3)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
import trio
from agentkeep import (
    Closed,
    ConfigurationError,
    Keep,
    NewMessage,
    OutcomeUnknown,
    SessionNotFound,
    Unavailable,
    connect,
    sync,
)
from agentkeep.records import MessageRecord, Scope
from agentkeep_memory import MemoryAdapter

request_id: ContextVar[str] = ContextVar("request_id", default="none")


class Slow(MemoryAdapter):
    """A sweep takes for ever until it is cancelled, and then a moment to clean up."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.threads: set[int] = set()

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        self.threads.add(threading.get_ident())
        self.seen.append(f"began for {request_id.get()}")
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.05)
            self.seen.append("cleaned up")
        return 0


def loop_threads() -> int:
    return sum(thread.name == "agentkeep-loop" for thread in threading.enumerate())


async def use(keep: Keep) -> list[str]:
    session = await keep.sessions.create()
    await keep.messages.append(session.id, [NewMessage(role="user", content=str(n)) for n in range(3)])
    read = [str(message.content) async for message in keep.messages.iterate(session.id)]
    watching = keep.messages.watch(session.id, after_seq=1)
    seen = [str((await anext(watching)).content) for _ in range(2)]
    await watching.aclose()
    with pytest.raises(SessionNotFound):
        await keep.messages.get("absent", "m")
    return read + seen


def test_two_loops_and_a_thread_use_one_keep() -> None:
    keep = connect("memory://", own_loop=True)
    with ThreadPoolExecutor(2) as threads:
        asyncio.run(keep.open())
        both = [threads.submit(asyncio.run, use(keep)) for _ in range(2)]
        assert [found.result() for found in both] == [["0", "1", "2", "1", "2"]] * 2
        assert sync.over(keep).open().sessions.count() == 2
        asyncio.run(keep.close())
    with pytest.raises(Closed):
        asyncio.run(keep.sessions.count())
    assert loop_threads() == 0


def test_it_can_be_opened_again() -> None:
    async def app() -> None:
        keep = connect("memory://", own_loop=True)
        for _ in range(2):
            async with keep as opened:
                assert await opened.open() is keep
                await keep.sessions.create()
            await keep.close()
        assert loop_threads() == 0

    asyncio.run(app())


def test_an_open_that_fails_leaves_no_thread() -> None:
    class Failing(MemoryAdapter):
        async def open(self) -> None:
            raise Unavailable("no server")

    with pytest.raises(Unavailable):
        asyncio.run(Keep(Failing(), own_loop=True).open())
    assert loop_threads() == 0


@pytest.mark.parametrize("own_loop", [True, False])
def test_flt_3_a_cancelled_call_has_ended_there_when_the_caller_sees_it(*, own_loop: bool) -> None:
    adapter = Slow()

    async def app() -> None:
        async with Keep(adapter, own_loop=own_loop) as keep:
            request_id.set("r1")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await keep.sweep()
            assert adapter.seen == ["began for r1", "cleaned up"]
            sweeping = asyncio.create_task(keep.sweep())
            await asyncio.sleep(0)
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
            assert sweeping.cancelled()
            assert await keep.sessions.count() == 0
            assert (threading.get_ident() in adapter.threads) is not own_loop

    asyncio.run(app())


def test_a_watch_that_is_cancelled_ends_there() -> None:
    ended: list[str] = []

    class Watched(MemoryAdapter):
        def __init__(self) -> None:
            super().__init__()
            watch = self.messages.watch

            async def watching(*args: Any, **options: Any) -> AsyncGenerator[MessageRecord, None]:
                try:
                    async for record in watch(*args, **options):
                        yield record
                finally:
                    ended.append("ended")

            self.messages.watch = watching  # type: ignore[method-assign]

    async def app() -> None:
        async with Keep(Watched(), own_loop=True) as keep:
            await keep.sessions.create("s")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await anext(keep.messages.watch("s", after_seq=0))
            assert ended == ["ended"]

    asyncio.run(app())


class TestTrio:
    """Under trio a call works or says what to do; it never hangs (ERR-1)."""

    def test_a_plain_keep_says_what_to_do(self) -> None:
        async def open_it() -> None:
            with pytest.raises(ConfigurationError, match="own_loop=True"):
                await connect("memory://").open()

        keep = Keep(MemoryAdapter())
        asyncio.run(keep.open())

        async def use_it() -> None:
            calls: list[Callable[[], Awaitable[object]]] = [
                keep.sessions.count,
                keep.health,
                keep.sweep,
                keep.sessions.iterate().__anext__,
                keep.messages.watch("s", after_seq=0).__anext__,
                keep.close,
            ]
            for call in calls:
                with pytest.raises(ConfigurationError, match="own_loop=True"):
                    await call()

        trio.run(open_it)
        trio.run(use_it)

    def test_a_keep_on_its_own_loop_works(self) -> None:
        async def app() -> list[str]:
            async with connect("memory://", own_loop=True) as keep:
                return await use(keep)

        assert trio.run(app) == ["0", "1", "2", "1", "2"]
        assert loop_threads() == 0

    def test_flt_3_a_cancelled_call_has_ended_there(self) -> None:
        adapter = Slow()

        async def app() -> None:
            async with Keep(adapter, own_loop=True) as keep:
                with trio.move_on_after(0.1) as scope:
                    await keep.sweep()
                assert scope.cancelled_caught
                assert adapter.seen == ["began for none", "cleaned up"]
                assert await keep.sessions.count() == 0

        trio.run(app)

    def test_the_sync_keep_works_in_a_thread(self) -> None:
        async def app() -> int:
            with sync.connect("memory://") as keep:
                await trio.to_thread.run_sync(keep.sessions.create)
                return await keep.arun(keep.asynchronous.sessions.count)

        assert trio.run(app) == 1

    def test_neither_asyncio_nor_trio_is_told(self) -> None:
        keep = connect("memory://", own_loop=True)
        call = keep.open()
        with pytest.raises(ConfigurationError, match="neither in asyncio nor in trio"):
            call.send(None)
        assert loop_threads() == 0


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_a_call_ends_when_the_loop_of_the_keep_does(library: str) -> None:
    """ERR-1: it never hangs, also if the loop ends without cancelling its tasks."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    keep = connect("memory://")
    asyncio.run_coroutine_threadsafe(keep.open(), loop).result()
    face = sync.over(keep).open()

    def end() -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        loop.close()

    async def call() -> None:
        await face.arun(lambda: asyncio.sleep(60))

    threading.Timer(0.2, end).start()
    run: Callable[[], None] = partial(trio.run, call) if library == "trio" else lambda: asyncio.run(call())
    with pytest.raises(OutcomeUnknown, match="ended while this call ran"):
        run()
