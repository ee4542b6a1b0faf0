"""WATCH-2 in the memory adapter: an append wakes those who watch its session, and nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from agentkeep import Keep, NewMessage
from agentkeep.spi.notify import Watcher
from agentkeep_memory import MemoryAdapter

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def wakes(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often watchers were woken, by session."""
    counted: Counter[str] = Counter()
    wake = Watcher.wake

    def counting(watcher: Watcher) -> None:
        counted[watcher.key[1]] += 1
        wake(watcher)

    monkeypatch.setattr(Watcher, "wake", counting)
    return counted


@pytest.fixture
async def keep() -> AsyncIterator[Keep]:
    async with Keep(MemoryAdapter()) as keep:
        yield keep


async def said(keep: Keep, session_id: str) -> None:
    await keep.messages.append(session_id, [NewMessage(role="user", content="Hi")])


async def test_an_append_wakes_no_watcher_of_another_session(keep: Keep, wakes: Counter[str]) -> None:
    names = ["watched", "unwatched", *(f"other {number}" for number in range(1_000))]
    for name in names:
        await keep.sessions.create(name)
        await said(keep, name)
    watches = {name: keep.messages.watch(name, after_seq=1) for name in names if name != "unwatched"}
    waiting = {name: asyncio.ensure_future(anext(messages)) for name, messages in watches.items()}
    await asyncio.sleep(0.1)
    wakes.clear()

    for _ in range(10):
        await said(keep, "unwatched")
    assert wakes == {}

    await said(keep, "watched")
    assert (await waiting.pop("watched")).seq == 2
    assert wakes == {"watched": 1}

    for task in waiting.values():
        task.cancel()
    await asyncio.gather(*waiting.values(), return_exceptions=True)


async def test_two_adapters_of_one_database_wake_each_others_watchers() -> None:
    async with Keep(MemoryAdapter("two adapters")) as one, Keep(MemoryAdapter("two adapters")) as other:
        await one.sessions.create("s")
        waiting = asyncio.ensure_future(anext(one.messages.watch("s", after_seq=0)))
        await asyncio.sleep(0.01)
        started = asyncio.get_running_loop().time()
        await said(other, "s")
        assert (await waiting).seq == 1
        assert asyncio.get_running_loop().time() - started < 0.5
