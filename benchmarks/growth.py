"""How Agentkeep's calls cost in long sessions and among many. `run.py --growth` starts it; it prints one line of JSON.

Latencies are medians in microseconds. `stored` is asked of the parent by a line "size", so that one process knows how
each database counts its bytes.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import tempfile
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from agentkeep import Keep, NewMessage
from agentkeep.transfer import import_files, open_file
from candidate import fill
from measure import latency
from ours import Agentkeep, make

TEXT = "x" * 400
KINDS = 10
SESSIONS_OF_A_USER = 20
IMPORTED = (200, 100)
"""Sessions, and messages in each."""
AT_ONCE = 64
Found = dict[str, dict[str, float]]


async def by_length(candidate: Agentkeep, lengths: list[int], calls: int) -> Found:
    """One session grows; what an append and a read of its end cost at each length."""
    found: Found = {}
    await candidate.create("long")
    length = 0
    for target in lengths:
        await fill(candidate, "long", target - length, TEXT)
        found[str(target)] = {
            "append": await latency(calls, lambda: candidate.append("long", [TEXT])),
            "last 50": await latency(calls, lambda: candidate.newest("long", 50)),
        }
        length = target + calls + max(1, calls // 10)
    return found


async def by_sessions(keep: Keep, counts: list[int], calls: int) -> Found:
    """The number of sessions grows, `SESSIONS_OF_A_USER` of each user; each kind of metadata has a tenth of them."""
    found: Found = {}
    chosen = random.Random(1)
    there = 0
    for target in counts:
        await _create(keep, range(there, target))
        there = target

        def any_id(most: int = target) -> str:
            return f"s{chosen.randrange(most)}"

        def any_user(most: int = target) -> str:
            return f"u{chosen.randrange(most // SESSIONS_OF_A_USER)}"

        calls_of: dict[str, Callable[[], Awaitable[Any]]] = {
            "get": lambda: keep.sessions.get(any_id()),
            "append": lambda: keep.messages.append(any_id(), [NewMessage(role="user", content=TEXT)]),
            "list 20 of a user": lambda: keep.sessions.list(user_id=any_user(), limit=20),
            "list 20 of a kind": lambda: keep.sessions.list(metadata={"kind": f"k{chosen.randrange(KINDS)}"}, limit=20),
            "list 20 of all": lambda: keep.sessions.list(limit=20),
        }
        for _ in range(2):  # the first pass meets a server that still merges and flushes what it was filled with
            found[str(target)] = {name: await latency(calls, call) for name, call in calls_of.items()}
    return found


async def _create(keep: Keep, numbers: range) -> None:
    waiting = iter(numbers)

    async def create() -> None:
        for number in waiting:
            user, kind = f"u{number // SESSIONS_OF_A_USER}", f"k{number % KINDS}"
            await keep.sessions.create(f"s{number}", user_id=user, metadata={"kind": kind})

    await asyncio.gather(*(create() for _ in range(AT_ONCE)))


async def imported(keep: Keep) -> float:
    """Messages a second of an import of conversations in OpenAI's chat format."""
    sessions, length = IMPORTED
    lines = [{"id": f"imported {n}", "messages": [{"role": "user", "content": TEXT}] * length} for n in range(sessions)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chats.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        started = perf_counter()
        outcomes: list[Any] = []
        await import_files(keep, [open_file(path)], outcomes.append)
        took = perf_counter() - started
    if await keep.sessions.count() < sessions or len(outcomes) != sessions:
        raise AssertionError(f"{sessions} sessions were to be imported: {outcomes[:3]}")
    return sessions * length / took


async def iterated(keep: Keep) -> tuple[int, int]:
    """Messages of the long session, and the peak of Python's memory while they are iterated."""
    tracemalloc.start()
    count = 0
    async for _ in keep.messages.iterate("long"):
        count += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return count, peak


def _size() -> int:
    print("size", flush=True)
    return int(sys.stdin.readline())


async def main(backend: str, url: str, namespace: str, lengths: str, counts: str, calls: str) -> None:
    candidate = make(backend, url, namespace)
    await candidate.open()
    try:
        before = _size()
        found: dict[str, Any] = {"length": await by_length(candidate, json.loads(lengths), int(calls))}
        after = _size()
        messages, peak = await iterated(candidate.keep)
        found |= {"messages": messages, "stored": (after - before) / messages, "peak": peak}
        found["imported"] = await imported(candidate.keep)
        found["sessions"] = await by_sessions(candidate.keep, json.loads(counts), int(calls))
        found["resident"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(found))
    finally:
        await candidate.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
