"""One candidate in a process of its own. `run.py` starts it; it prints one line of JSON: a median for each measure.

Latencies are microseconds a call; `writers` are messages a second. It ends with an error if a concurrent run lost,
doubled or reordered a message, or a read returned other messages than were appended.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from statistics import median
from time import perf_counter

from candidates import LISTED, Candidate, fill, make

TEXT = "A window seat to Oslo, please, and a vegetarian meal if there is one. " * 6
TURN = 4
TAIL = 50
LOAD = 1_000
LENGTHS = (10, 1_000, 10_000)
WRITERS = (1, 8, 32)
SMOKE = ((10, 60), (1, 4))


async def latency(calls: int, call: Callable[[], Awaitable[object]]) -> float:
    for _ in range(max(1, calls // 10)):
        await call()
    took: list[float] = []
    for _ in range(calls):
        started = perf_counter()
        await call()
        took.append(perf_counter() - started)
    return median(took) * 1e6


async def read(candidate: Candidate, session: str, limit: int) -> None:
    found = await candidate.newest(session, limit)
    if len(found) != limit:
        raise AssertionError(f"{limit} messages were to be read, and {len(found)} came")


async def throughput(candidate: Candidate, session: str, writers: int, calls: int) -> float:
    """Messages a second of writers on one session, whose log is then checked."""

    async def write(writer: int) -> None:
        for number in range(calls):
            await candidate.append(session, [f"{writer} {number}"])

    await candidate.create(session)
    started = perf_counter()
    await asyncio.gather(*(write(writer) for writer in range(writers)))
    took = perf_counter() - started
    check_log(await candidate.newest(session, 1_000), writers, calls)
    return writers * calls / took


def check_log(log: list[tuple[int, str]], writers: int, calls: int) -> None:
    """Raises `AssertionError` if a message is lost or there twice, or a writer's messages are in another order."""
    if [seq for seq, _ in log] != list(range(1, writers * calls + 1)):
        raise AssertionError(
            f"{writers} writers appended {calls} messages each, and {len(log)} are there or in no order"
        )
    for writer in range(writers):
        own = [text for _, text in log if text.split(" ")[0] == str(writer)]
        if own != [f"{writer} {number}" for number in range(calls)]:
            raise AssertionError(f"the messages of writer {writer} are not there once each in their order")


async def measure(
    candidate: Candidate, calls: int, lengths: tuple[int, ...], writers: tuple[int, ...]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for number in range(LISTED):
        await candidate.create(f"listed {number}")
    for length in lengths:
        session = f"of {length}"
        await candidate.create(session)
        await fill(candidate, session, length, TEXT)
        found[f"append at {length}"] = await latency(calls, lambda s=session: candidate.append(s, [TEXT]))
        count = min(TAIL, length)
        found[f"last {TAIL} at {length}"] = await latency(calls, lambda s=session, n=count: read(candidate, s, n))
    session = f"of {lengths[-1]}"
    found["append"] = found[f"append at {lengths[1]}"]
    found["turn of 4"] = await latency(calls, lambda: candidate.append(session, [TEXT] * TURN))
    found["last 50"] = found[f"last {TAIL} at {lengths[1]}"]
    load = min(LOAD, lengths[-1])
    found["load 1,000"] = await latency(max(1, calls // 10), lambda: read(candidate, session, load))
    found["list 20 sessions"] = await latency(calls, candidate.listing)
    for number in writers:
        session = f"of {number} writers"
        found[f"writers {number}"] = await throughput(candidate, session, number, min(calls, 1_000 // number))
    return found


async def main(backend: str, name: str, url: str, namespace: str, calls: str) -> None:
    candidate = make(backend, name, url, namespace)
    lengths, writers = SMOKE if int(calls) < 10 else (LENGTHS, WRITERS)
    await candidate.open()
    try:
        print(json.dumps(await measure(candidate, int(calls), lengths, writers)))
    finally:
        await candidate.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
