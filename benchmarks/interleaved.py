"""Candidates of one process, measured in turns: a busy machine slows all alike, and only their ratios carry over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from statistics import median
from time import perf_counter
from typing import Any

TURNS = 60
CALLS = 96
_UNCOUNTED = 5
"""Turns before the first that counts."""

Act = Callable[[int], Awaitable[Any]]
"""One call of a writer, by the writer's number."""


async def seconds(act: Act, writers: int) -> float:
    """A call's share of the time that `CALLS` calls of so many writers take."""

    async def write(writer: int) -> None:
        for _ in range(CALLS // writers):
            await act(writer)

    started = perf_counter()
    await asyncio.gather(*(write(writer) for writer in range(writers)))
    return (perf_counter() - started) / CALLS


async def compare(title: str, acts: dict[str, Act], writers: int = 1) -> None:
    """Print a row for each act: the median of its turns in microseconds, and as times the first act's."""
    times: dict[str, list[float]] = {name: [] for name in acts}
    for turn in range(TURNS + _UNCOUNTED):
        for name, act in acts.items():
            took = await seconds(act, writers)
            if turn >= _UNCOUNTED:
                times[name].append(took)
    floor = median(next(iter(times.values())))
    for name, took in times.items():
        print(f"| {title} | {name} | {median(took) * 1e6:.0f} | {median(took) / floor:.2f} |", flush=True)
