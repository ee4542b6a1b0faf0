"""The SQLite adapter against its floor of `floors.py`, and against that floor in a thread of its own.

    .venv/bin/python benchmarks/sqlite_append.py

The floor keeps the event loop's thread until the disk has its commit, so nothing else runs there. In a thread of its
own it lets the loop go on, as ours does: the table shows what that alone costs. Below it are the pages that a call
writes to the log. Turns are interleaved, so a busy machine slows all alike; only the ratios carry over to another one.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from floors import SQLiteFloor
from interleaved import compare
from measure import TEXT, TURN
from ours import make

PAGE_OF_LOG = 4_096 + 24
CALLS = 60
Append = Callable[[int], Awaitable[Any]]
"""Append so many messages to the candidate's session."""


def run_at_once(call: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Run a coroutine that never waits, as those of this floor, without an event loop."""
    with suppress(StopIteration):
        call().send(None)


async def pages(path: Path, append: Append, messages: int) -> float:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        for _ in range(CALLS):
            await append(messages)
        return path.with_name(f"{path.name}-wal").stat().st_size / PAGE_OF_LOG / CALLS


async def compare_appends(folder: Path, pool: ThreadPoolExecutor) -> None:
    loop = asyncio.get_running_loop()
    floor, threaded = SQLiteFloor(f"{folder}/floor.db"), SQLiteFloor(f"{folder}/threaded.db")
    ours = make("sqlite", str(folder), "ours")

    def in_thread(call: Callable[[], Coroutine[Any, Any, Any]]) -> Awaitable[None]:
        return loop.run_in_executor(pool, run_at_once, call)

    await floor.open()
    await floor.create("s")
    await in_thread(threaded.open)
    await in_thread(lambda: threaded.create("s"))
    await ours.open()
    await ours.create("s")
    appends: dict[str, Append] = {
        "floor": lambda count: floor.append("s", [TEXT] * count),
        "floor in a thread": lambda count: in_thread(lambda: threaded.append("s", [TEXT] * count)),
        "Agentkeep": lambda count: ours.append("s", [TEXT] * count),
    }
    try:
        for title, count in (("append", 1), (f"turn of {TURN}", TURN)):
            await compare(title, {name: _call(append, count) for name, append in appends.items()})
        for name, path in (("floor", folder / "floor.db"), ("Agentkeep", folder / "ours.db")):
            written = [await pages(path, appends[name], count) for count in (1, TURN)]
            print(f"{name}: {written[0]:.1f} pages an append, {written[1]:.1f} a turn of {TURN}")
    finally:
        await ours.close()
        await in_thread(threaded.close)
        await floor.close()


def _call(append: Append, count: int) -> Append:
    return lambda _: append(count)


async def main() -> None:
    print(f"SQLite {sqlite3.sqlite_version}\n\n| | | µs a call | of the first |\n|---|---|---|---|")
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        await compare_appends(Path(folder), pool)


if __name__ == "__main__":
    asyncio.run(main())
