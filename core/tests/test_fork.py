"""A forked child has its parent's keep and none of its connections: each call there says so and never hangs (ERR-1)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import warnings
from collections.abc import Callable

import pytest
from agentkeep import Closed, Keep, connect, sync

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")


def in_child(work: Callable[[], object]) -> str:
    """What `work` raised or returned in a forked child, within five seconds."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12: a fork beside a thread
        child = os.fork()
    if child == 0:
        signal.alarm(5)
        try:
            said = f"returned {work()!r}"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said or "killed after five seconds"


def test_a_sync_keep() -> None:
    with sync.connect("memory://") as keep:
        keep.sessions.create("s")
        calls: list[Callable[[], object]] = [
            keep.sessions.count,
            keep.for_user("ann").sessions.count,
            lambda: list(keep.sessions.iterate()),
            keep.health,
            keep.open,
            lambda: keep.run(keep.asynchronous.sessions.count),
            lambda: asyncio.run(keep.asynchronous.sessions.count()),
        ]
        for call in calls:
            said = in_child(call)
            assert said.startswith("Closed: "), said
            assert "open a keep in each process" in said
        assert in_child(keep.close) == "returned None", "the connections are the parent's"
        assert keep.sessions.count() == 1


@pytest.mark.parametrize("own_loop", [True, False])
def test_an_asynchronous_keep(*, own_loop: bool) -> None:
    keep = connect("memory://", own_loop=own_loop)
    asyncio.run(keep.open())
    for call in (keep.sessions.count, keep.open, keep.health, keep.sweep):
        said = in_child(lambda call=call: asyncio.run(call()))
        assert said.startswith("Closed: "), said
        assert "open a keep in each process" in said
    assert in_child(lambda: asyncio.run(keep.close())) == "returned None"
    asyncio.run(keep.close())


def test_a_child_may_open_a_keep_of_its_own() -> None:
    unopened = sync.connect("memory://")

    def work() -> int:
        with unopened:
            return unopened.sessions.count()

    with sync.connect("memory://"):
        assert in_child(work) == "returned 0"


def test_a_keep_can_be_used_again_by_the_parent_after_the_fork() -> None:
    async def app() -> None:
        async with Keep(connect("memory://").adapter) as keep:
            assert in_child(lambda: sys.getsizeof(keep)).startswith("returned")
            assert await keep.sessions.count() == 0

    with pytest.raises(Closed):
        asyncio.run(connect("memory://").sessions.count())
    asyncio.run(app())
