"""How Agentkeep's calls cost in long sessions and among many. `run.py --growth` starts it; it prints one line of JSON.

Latencies are medians in microseconds. All sizes are filled first, and then measured in turn, call by call: if a machine
is slow for a while, it slows all of them. `stored` is asked of the parent by a line "size", so that one process knows
how each database counts its bytes.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

from agentkeep import Keep, NewMessage
from agentkeep.transfer import import_files, open_file
from candidate import fill
from measure import Act, in_turn
from ours import Agentkeep, make

TEXT = "x" * 400
KINDS = 10
SESSIONS_OF_A_USER = 20
IMPORTED = (200, 100)
"""Sessions, and messages in each."""
AT_ONCE = 64
Found = dict[str, dict[str, float]]


def by_size(sizes: list[int], rows: dict[str, dict[int, float]]) -> Found:
    return {str(size): {name: row[size] for name, row in rows.items()} for size in sizes}


async def by_length(candidate: Agentkeep, lengths: list[int], calls: int) -> Found:
    """A session of each length: what an append and a read of its end cost."""
    for length in lengths:
        await candidate.create(f"long {length}")
        await fill(candidate, f"long {length}", length, TEXT)
    acts: dict[str, Callable[[int], Act]] = {
        "append": lambda length: lambda: candidate.append(f"long {length}", [TEXT]),
        "last 50": lambda length: lambda: candidate.newest(f"long {length}", 50),
    }
    rows = {name: await in_turn(calls, {length: act(length) for length in lengths}) for name, act in acts.items()}
    return by_size(lengths, rows)


async def by_sessions(keeps: dict[int, Keep], calls: int) -> Found:
    """So many sessions in each, `SESSIONS_OF_A_USER` of each user; each kind of metadata has a tenth of them."""
    for count, keep in keeps.items():
        await _create(keep, range(count))
    chosen = random.Random(1)

    def any_id(most: int) -> str:
        return f"s{chosen.randrange(most)}"

    def any_user(most: int) -> str:
        return f"u{chosen.randrange(most // SESSIONS_OF_A_USER)}"

    def any_kind() -> dict[str, Any]:
        return {"kind": f"k{chosen.randrange(KINDS)}"}

    acts: dict[str, Callable[[Keep, int], Act]] = {
        "get": lambda keep, most: lambda: keep.sessions.get(any_id(most)),
        "append": lambda keep, most: lambda: keep.messages.append(any_id(most), [new_message()]),
        "list 20 of a user": lambda keep, most: lambda: keep.sessions.list(user_id=any_user(most), limit=20),
        "list 20 of a kind": lambda keep, _: lambda: keep.sessions.list(metadata=any_kind(), limit=20),
        "list 20 of all": lambda keep, _: lambda: keep.sessions.list(limit=20),
    }
    rows: dict[str, dict[int, float]] = {}
    for _ in range(2):  # the first pass meets a server that still merges and flushes what it was filled with
        for name, act in acts.items():
            rows[name] = await in_turn(calls, {count: act(keep, count) for count, keep in keeps.items()})
    return by_size(list(keeps), rows)


def new_message() -> NewMessage:
    return NewMessage(role="user", content=TEXT)


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


async def iterated(keep: Keep, session: str) -> tuple[int, int]:
    """Messages of a session, and the peak of Python's memory while they are iterated."""
    tracemalloc.start()
    count = 0
    async for _ in keep.messages.iterate(session):
        count += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return count, peak


def _size() -> int:
    print("size", flush=True)
    return int(sys.stdin.readline())


async def main(backend: str, url: str, namespaces: str, lengths: str, counts: str, calls: str) -> None:
    """`namespaces`: one for the long sessions, and one for each count."""
    first, *others = json.loads(namespaces)
    candidate = make(backend, url, first)
    await candidate.open()
    try:
        before = _size()
        found: dict[str, Any] = {"length": await by_length(candidate, json.loads(lengths), int(calls))}
        after = _size()
        stored = [await candidate.keep.messages.count(f"long {length}") for length in json.loads(lengths)]
        messages, peak = await iterated(candidate.keep, f"long {json.loads(lengths)[-1]}")
        found |= {"messages": messages, "stored": (after - before) / sum(stored), "peak": peak}
        found["imported"] = await imported(candidate.keep)
    finally:
        await candidate.close()
    async with AsyncExitStack() as stack:
        keeps = {
            count: await stack.enter_async_context(make(backend, url, namespace).keep)
            for count, namespace in zip(json.loads(counts), others, strict=True)
        }
        found["sessions"] = await by_sessions(keeps, int(calls))
    found["resident"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
