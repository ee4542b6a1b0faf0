"""What a framework's session loses when a process is killed, two processes write at once, or the database goes away.

Each bridge's `tests/stores.py` opens two stores: `agentkeep(url)` and, if the framework brings one that outlives its
process, `own(path)`. Run as a program, this file is the process that writes to one of them.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol


class Store(Protocol):
    """One session of a framework. Its items are texts here."""

    async def add(self, text: str) -> None: ...
    async def texts(self) -> list[str]: ...
    async def close(self) -> None: ...


@dataclass(frozen=True)
class Found:
    """How many items were acknowledged, and what became of them."""

    acknowledged: int
    refused: int
    lost: int
    doubled: int
    out_of_order: int

    @property
    def clean(self) -> bool:
        return self.acknowledged > 0 and not (self.lost or self.doubled or self.out_of_order or self.refused)


def load(stores: Path) -> Any:
    spec = importlib.util.spec_from_file_location("stores", stores)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(stores: Path, kind: str, where: str, worker: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, str(stores), kind, where, worker, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603


def killed(stores: Path, kind: str, where: str, rounds: int = 3) -> Found:
    """A writer is killed in each round, by SIGKILL, after a few of its items were acknowledged."""
    chosen = random.Random(17)  # noqa: S311
    said: list[str] = []
    for number in range(rounds):
        with start(stores, kind, where, f"w{number}", 100_000) as process:
            assert process.stdout is not None
            said += [process.stdout.readline() for _ in range(chosen.randint(3, 30))]
            process.send_signal(signal.SIGKILL)
            said += [line for line in process.stdout if line.endswith("\n")]
    return asyncio.run(compare(stores, kind, where, said))


def racing(stores: Path, kind: str, where: str, workers: int = 2, count: int = 50) -> Found:
    """Processes that write to one session at once."""
    processes = [start(stores, kind, where, f"w{number}", count) for number in range(workers)]
    said = [line for process in processes for line in process.communicate()[0].splitlines(keepends=True)]
    assert all(process.returncode == 0 for process in processes), said
    return asyncio.run(compare(stores, kind, where, said))


def interrupted(stores: Path, where: str, away: Callable[[], None], back: Callable[[], None]) -> Found:
    """The database goes away under a writer and comes back: the writer goes on with the same keep."""
    with start(stores, "agentkeep", where, "w0", 400) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(20)]
        away()
        back()
        said += process.communicate()[0].splitlines(keepends=True)
    found = asyncio.run(compare(stores, "agentkeep", where, said))
    assert found.acknowledged > 20, "the writer wrote nothing after the database was back"
    return found


async def compare(stores: Path, kind: str, where: str, said: list[str]) -> Found:
    acknowledged = [line.split()[1] for line in said if line.startswith("stored ")]
    store: Store = await getattr(load(stores), kind)(where)
    try:
        stored = await store.texts()
    finally:
        await store.close()
    counts = Counter(stored)
    by_worker: dict[str, list[int]] = {}
    for text in stored:
        worker, _, number = text.partition("-")
        by_worker.setdefault(worker, []).append(int(number))
    return Found(
        acknowledged=len(acknowledged),
        refused=sum(line.startswith("refused ") for line in said),
        lost=len(set(acknowledged) - counts.keys()),
        doubled=sum(count - 1 for count in counts.values()),
        out_of_order=sum(numbers != sorted(numbers) for numbers in by_worker.values()),
    )


async def write(stores: Path, kind: str, where: str, worker: str, count: int) -> None:
    store: Store = await getattr(load(stores), kind)(where)
    for number in range(count):
        text = f"{worker}-{number}"
        try:
            await store.add(text)
        except Exception as error:
            print("refused", text, type(error).__name__, flush=True)
            await asyncio.sleep(0.05)
        else:
            print("stored", text, flush=True)
    await store.close()


def measured(stores: Path) -> list[dict[str, Any]]:
    """What the framework's own store and Agentkeep's SQLite lose, side by side."""
    rows: list[dict[str, Any]] = []
    kinds = ["own", "agentkeep"] if load(stores).own is not None else ["agentkeep"]
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="agentkeep-faults-") as folder:
            for name, scenario in (("killed", killed), ("racing", racing)):
                where = f"{'sqlite:///' if kind == 'agentkeep' else ''}{folder}/{name}.db"
                rows.append({"store": kind, "scenario": name, **asdict(scenario(stores, kind, where))})
    return rows


if __name__ == "__main__":
    if sys.argv[1] == "measure":
        print(json.dumps(measured(Path(sys.argv[2]))))
    else:
        path, kind, where, worker, count = sys.argv[1:]
        asyncio.run(write(Path(path), kind, where, worker, int(count)))
