"""Where the time of one call goes: elapsed, and the processor time of the client and of the server.

`run.py` starts it for each backend; it prints one line of JSON. The floor and Agentkeep take turns in one process, a
block of calls each, so that a machine that is slow for a while slows both. What else runs on the machine changes the
elapsed time of a call, and hardly its processor time. Of an embedded database the client's is all there is.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from statistics import mean, median
from time import perf_counter, process_time
from typing import NamedTuple

import psutil
from candidate import FLOOR, LISTED, OURS, Resumes, fill, make
from measure import LOAD, TAIL, TEXT, TURN, Act, read, request

LENGTH = 1_000
BLOCK = 10
"""Calls."""
SESSION = "of the turns"
_LOAD = "load 1,000"
"""Takes so long that a fifth of the calls is enough."""


class Spent(NamedTuple):
    """Microseconds, of a call or since some beginning."""

    elapsed: float
    client: float
    server: float

    def since(self, begin: Spent) -> Spent:
        return Spent(*(after - before for after, before in zip(self, begin, strict=True)))


def spent_so_far(pids: list[int]) -> Spent:
    """`pids`: the processes of the server; those that they started count as well."""
    server = 0.0
    for pid in pids:
        started = psutil.Process(pid)
        for process in (started, *started.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                server += times.user + times.system
    return Spent(perf_counter() * 1e6, process_time() * 1e6, server * 1e6)


async def in_blocks(acts: dict[str, Act], calls: int, pids: list[int]) -> dict[str, Spent]:
    """What a call takes: the median of the blocks' elapsed times, and the mean of all calls' processor times.

    The system tells a server's time in steps of 10 ms. The first block of each act does not count.
    """
    blocks: dict[str, list[Spent]] = {name: [] for name in acts}
    for _ in range(1 + max(1, calls // BLOCK)):
        for name, act in acts.items():
            begin = spent_so_far(pids)
            for _ in range(BLOCK):
                await act()
            blocks[name].append(spent_so_far(pids).since(begin))
    return {name: _of_a_call(each[1:]) for name, each in blocks.items()}


def _of_a_call(blocks: list[Spent]) -> Spent:
    elapsed, client, server = zip(*blocks, strict=True)
    return Spent(median(elapsed) / BLOCK, mean(client) / BLOCK, mean(server) / BLOCK)


def acts_of(candidate: Resumes) -> dict[str, Act]:
    """By measure."""
    return {
        "append": lambda: candidate.append(SESSION, [TEXT]),
        "turn of 4": lambda: candidate.append(SESSION, [TEXT] * TURN),
        "last 50": lambda: read(candidate, SESSION, TAIL),
        "request": lambda: request(candidate, SESSION, TAIL),
        _LOAD: lambda: read(candidate, SESSION, LOAD),
        "list 20 sessions": candidate.listing,
    }


async def prepared(name: str, backend: str, url: str, namespace: str) -> Resumes:
    """The candidate, open and filled. The caller closes it."""
    candidate = make(name, backend, url, namespace)
    assert isinstance(candidate, Resumes)
    await candidate.open()
    for number in range(LISTED):
        await candidate.create(f"listed {number}")
    await candidate.create(SESSION)
    await fill(candidate, SESSION, LENGTH, TEXT)
    return candidate


async def main(backend: str, url: str, namespaces: str, calls: str, pids: str) -> None:
    pairs = zip((FLOOR, OURS), json.loads(namespaces), strict=True)
    candidates = {name: await prepared(name, backend, url, namespace) for name, namespace in pairs}
    acts = {name: acts_of(candidate) for name, candidate in candidates.items()}
    servers: list[int] = json.loads(pids)
    found: dict[str, dict[str, Spent]] = {}
    for measure in acts[FLOOR]:
        both = {name: each[measure] for name, each in acts.items()}
        enough = int(calls) // 5 if measure == _LOAD else int(calls)
        found[measure] = await in_blocks(both, enough, servers)
    for candidate in candidates.values():
        await candidate.close()
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
