"""Who is woken, in which event loop, and when a listener is made and stopped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from agentkeep.errors import Closed, Unavailable
from agentkeep.spi.notify import Key, Notifier, Watcher

pytestmark = pytest.mark.anyio

A: Key = ("t", "a")
B: Key = ("t", "b")
LONG = 60.0
"""Longer than any test takes: who returns from such a wait was woken."""


async def woken(watcher: Watcher) -> bool:
    """Whether a notification has come that was not waited for yet."""
    started = asyncio.get_running_loop().time()
    await watcher.wait(0.05)
    return asyncio.get_running_loop().time() - started < 0.04


async def test_watchers_of_that_session_are_woken_and_no_others() -> None:
    notifier = Notifier()
    with notifier.watching(A) as first, notifier.watching(A) as second, notifier.watching(B) as other:
        notifier.notify(A)
        assert [await woken(watcher) for watcher in (first, second, other)] == [True, True, False]


async def test_what_came_before_ready_is_not_waited_for_and_what_came_after_is() -> None:
    notifier = Notifier()
    with notifier.watching(A) as watcher:
        notifier.notify(A)
        await watcher.ready()
        assert not await woken(watcher)
        await watcher.ready()
        notifier.notify(A)
        assert await woken(watcher)


async def test_notify_all_wakes_everybody() -> None:
    notifier = Notifier()
    with notifier.watching(A) as first, notifier.watching(B) as second:
        notifier.notify_all()
        assert [await woken(first), await woken(second)] == [True, True]


async def test_an_append_that_nobody_watches_wakes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """WATCH-2: with 1,000 watchers of other sessions not one is touched."""
    wakes: list[Watcher] = []

    def wake(watcher: Watcher) -> None:
        wakes.append(watcher)

    monkeypatch.setattr(Watcher, "wake", wake)
    notifier = Notifier()
    watchers = [notifier.join(("t", f"s{number}")) for number in range(1_000)]
    for _ in range(100):
        notifier.notify(A)
    assert wakes == []
    notifier.notify(("t", "s7"))
    assert wakes == [watchers[7]]


async def test_a_thread_wakes_a_watcher() -> None:
    notifier = Notifier()
    with notifier.watching(A) as watcher:
        thread = threading.Thread(target=notifier.notify, args=(A,))
        thread.start()
        async with asyncio.timeout(5):
            await watcher.wait(LONG)
        thread.join()


def test_each_event_loop_has_its_own_watchers() -> None:
    notifier = Notifier()
    barrier = threading.Barrier(3)
    seen: list[int] = []

    async def watch() -> None:
        with notifier.watching(A) as watcher:
            await asyncio.to_thread(barrier.wait, 5)
            async with asyncio.timeout(5):
                await watcher.wait(LONG)
            seen.append(watcher.company)

    threads = [threading.Thread(target=asyncio.run, args=(watch(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    barrier.wait(5)
    notifier.notify(A)
    for thread in threads:
        thread.join(5)
    assert seen == [1, 1]
    assert not notifier.has_watchers


def test_a_closed_event_loop_does_no_harm_and_is_forgotten() -> None:
    notifier = Notifier()
    loop = asyncio.new_event_loop()

    async def join() -> None:
        notifier.join(A)

    loop.run_until_complete(join())
    loop.close()
    notifier.notify(A)
    notifier.notify_all()

    async def watch() -> None:
        with notifier.watching(B):
            pass

    asyncio.run(watch())
    assert not notifier.has_watchers


async def test_close_wakes_all_who_then_raise_closed() -> None:
    notifier = Notifier()
    with notifier.watching(A) as watcher:
        waiting = asyncio.create_task(watcher.wait(LONG))
        await asyncio.sleep(0)
        notifier.close()
        with pytest.raises(Closed):
            await waiting
        with pytest.raises(Closed):
            await watcher.ready()
    with pytest.raises(Closed), notifier.watching(A):
        pass
    notifier.open()
    with notifier.watching(A) as later:
        await later.ready()
        with pytest.raises(Closed):
            await watcher.ready()


class Recorded:
    """A listener that writes down what is asked of it."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.keys: set[Key] = set()
        self.fails: Callable[[], bool] = lambda: False
        log.append("made")

    def hears(self, key: Key) -> bool:
        return key in self.keys

    async def listen(self, key: Key) -> None:
        self.log.append(f"listen {key[1]}")
        await asyncio.sleep(0)
        if self.fails():
            raise Unavailable("away")
        self.keys.add(key)

    def forget(self, key: Key) -> None:
        self.log.append(f"forget {key[1]}")
        self.keys.discard(key)

    def stop(self) -> None:
        self.log.append("stop")


async def test_a_listener_lives_from_the_first_watcher_to_the_last() -> None:
    log: list[str] = []
    notifier = Notifier(lambda: Recorded(log))
    for _ in range(2):
        with notifier.watching(A) as first:
            assert await first.ready()
            with notifier.watching(A) as second, notifier.watching(B) as third:
                assert [await second.ready(), await third.ready()] == [True, True]
    assert log == ["made", "listen a", "listen b", "forget b", "stop"] * 2


async def test_watchers_that_come_together_listen_once() -> None:
    log: list[str] = []
    notifier = Notifier(lambda: Recorded(log))
    watchers = [notifier.join(A) for _ in range(100)]
    assert all(await asyncio.gather(*(watcher.ready() for watcher in watchers)))
    assert log == ["made", "listen a"]


async def test_a_listener_that_fails_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    listener = Recorded(log)
    listener.fails = lambda: True
    notifier = Notifier(lambda: listener)
    watchers = [notifier.join(A) for _ in range(10)]
    assert not any(await asyncio.gather(*(watcher.ready() for watcher in watchers)))
    assert log == ["made", "listen a"]
    monkeypatch.setattr("agentkeep.spi.notify._AGAIN_SECONDS", 0.0)
    listener.fails = lambda: False
    assert await watchers[0].ready()


async def test_close_stops_the_listener_before_it_returns() -> None:
    log: list[str] = []
    notifier = Notifier(lambda: Recorded(log))
    with notifier.watching(A) as watcher:
        await watcher.ready()
        notifier.close()
        assert log == ["made", "listen a", "stop"]
    assert log == ["made", "listen a", "stop"]


@pytest.mark.parametrize("is_away", [False, True])
async def test_what_a_listener_connects_while_it_is_stopped_is_stopped_too(is_away: bool) -> None:
    """LIFE-2: by the time that `stopped` returns. A second watcher, who waits for its turn, connects nothing."""
    log: list[str] = []
    listener = Recorded(log)
    listener.fails = lambda: is_away
    notifier = Notifier(lambda: listener)
    watchers = [notifier.join(A), notifier.join(B)]
    listening = [asyncio.create_task(watcher.ready()) for watcher in watchers]
    await asyncio.sleep(0)
    notifier.close()
    assert log == ["made", "listen a", "stop"]
    await notifier.stopped()
    assert log == ["made", "listen a", "stop", "stop"]
    for ready in listening:
        with pytest.raises(Closed):
            await ready
    assert log == ["made", "listen a", "stop", "stop"]


class _UnderLock(dict[Key, set[Watcher]]):
    """Refuses what needs the lock. Without it one may only ask whether a session has watchers."""

    def __init__(self, lock: threading.Lock) -> None:
        super().__init__()
        self._lock = lock

    def __getattribute__(self, name: str) -> Any:
        if name in ("get", "setdefault", "values", "items"):
            assert object.__getattribute__(self, "_lock").locked(), f"{name} without the lock"
        return super().__getattribute__(name)


async def test_what_threads_share_is_used_under_the_lock_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    notifier = Notifier()
    lock = threading.Lock()
    monkeypatch.setattr(notifier, "_lock", lock)
    monkeypatch.setattr(notifier, "_watchers", _UnderLock(lock))
    with notifier.watching(A) as watcher:
        notifier.notify(A)
        assert await woken(watcher)
    with notifier.watching(A):
        notifier.notify_all()
        notifier.close()
