"""One candidate in a process of its own. `run.py` starts it; it prints one line of JSON: a median for each measure.

Latencies are microseconds a call; `writers` are messages a second. Each run of writers is counted afterwards: `lost`,
`doubled`, `reordered` and `refused` say how many messages were. It ends with an error if a read of one caller returned
another number of messages than were appended.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise
from statistics import median
from time import perf_counter

from candidate import FLOOR, LISTED, OURS, Candidate, Resumes, fill, make

TEXT = "A window seat to Oslo, please, and a vegetarian meal if there is one. " * 6
TURN = 4
TAIL = 50
LOAD = 1_000
LENGTHS = (10, 1_000, 10_000)
WRITERS = (1, 8, 32)
Act = Callable[[], Awaitable[object]]
SMOKE = ((10, 60), (1, 4))


async def latency(calls: int, call: Act) -> float:
    """The median of the calls, in microseconds."""
    return (await in_turn(calls, {0: call}))[0]


async def in_turn(calls: int, acts: dict[int, Act]) -> dict[int, float]:
    """Of each act the median of its calls, in microseconds. All take turns, call by call."""
    took: dict[int, list[float]] = {name: [] for name in acts}
    uncounted = max(1, calls // 10)
    for turn in range(calls + uncounted):
        for name, act in acts.items():
            started = perf_counter()
            await act()
            if turn >= uncounted:
                took[name].append(perf_counter() - started)
    return {name: median(each) * 1e6 for name, each in took.items()}


async def read(candidate: Candidate, session: str, limit: int) -> None:
    check(await candidate.newest(session, limit), limit)


def check(found: list[str], wanted: int) -> None:
    if len(found) != wanted:
        raise AssertionError(f"{wanted} messages were to be read, and {len(found)} came")


async def request(candidate: Resumes, session: str, limit: int) -> None:
    """What an agent does for one question: read the session and its newest messages, and write a turn."""
    check(await candidate.resume(session, limit), limit)
    await candidate.append(session, [TEXT] * TURN)


async def throughput(candidate: Candidate, session: str, writers: int, calls: int) -> tuple[float, dict[str, int]]:
    """Messages a second of writers on one session, and what became of them."""
    accepted: list[list[str]] = [[] for _ in range(writers)]

    async def write(writer: int) -> None:
        for number in range(calls):
            text = f"{writer} {number}"
            with suppress(Exception):  # counted as refused; each candidate has its own errors
                await candidate.append(session, [text])
                accepted[writer].append(text)

    await candidate.create(session)
    started = perf_counter()
    await asyncio.gather(*(write(writer) for writer in range(writers)))
    took = perf_counter() - started
    faults = count_faults(await candidate.newest(session, 2 * writers * calls), accepted)
    done = sum(len(texts) for texts in accepted)
    return done / took, {**faults, "refused": writers * calls - done}


def count_faults(log: list[str], accepted: list[list[str]]) -> dict[str, int]:
    """How many accepted messages are not there, are there again, or stand before an earlier one of their writer."""
    there = Counter(log)
    lost = sum(not there[text] for texts in accepted for text in texts)
    doubled = sum(count - 1 for count in there.values())
    places = {text: place for place, text in enumerate(log)}
    found = [[places[text] for text in texts if text in places] for texts in accepted]
    reordered = sum(later < earlier for each in found for earlier, later in pairwise(each))
    return {"lost": lost, "doubled": doubled, "reordered": reordered}


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
    if isinstance(candidate, Resumes):
        asked = min(TAIL, lengths[-1])
        found["request"] = await latency(calls, lambda c=candidate: request(c, session, asked))
    load = min(LOAD, lengths[-1])
    found["load 1,000"] = await latency(max(1, calls // 10), lambda: read(candidate, session, load))
    with suppress(NotImplementedError):
        found["list 20 sessions"] = await latency(calls, candidate.listing)
    for number in writers:
        each = min(calls, 1_000 // number)
        rate, faults = await throughput(candidate, f"of {number} writers", number, each)
        found |= {f"writers {number}": rate} | {f"{name} {number}": count for name, count in faults.items()}
    return found


async def main(backend: str, name: str, url: str, namespace: str, calls: str) -> None:
    candidate = make(name, backend, url, namespace)
    lengths, writers = SMOKE if int(calls) < 10 else (LENGTHS, WRITERS)
    if name not in (FLOOR, OURS):
        lengths = lengths[:2]  # of some peers the longest sessions take minutes to fill
    await candidate.open()
    try:
        print(json.dumps(await measure(candidate, int(calls), lengths, writers)))
    finally:
        await candidate.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
