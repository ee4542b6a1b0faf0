"""RESULTS.md and its plots."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from statistics import median
from typing import Any

from backends import Backend
from candidate import FLOOR, OURS
from plots import chart
from reasons import REASONS

MEASURES = ("append", "turn of 4", "last 50", "request", "load 1,000", "list 20 sessions")
OF_PEERS = ("append at 10", "append at 1000", "last 50", "load 1,000")
_IMPORT = "import time; before = time.process_time(); import agentkeep; print(time.process_time() - before)"
FAULTS = ("lost", "doubled", "reordered", "refused")

Round = dict[str, dict[str, float]]
"""What one round measured of each candidate."""

InTurns = dict[str, dict[str, tuple[float, float, float]]]
"""By measure and candidate: microseconds a call, elapsed, and of the client's and the server's processor time."""


def ratios(rounds: list[Round], measure: str) -> list[float]:
    """Of each round, how many times as long as the floor takes. Of writers, how many times slower."""
    pairs = [(one[OURS][measure], one[FLOOR][measure]) for one in rounds]
    return [floor / ours if measure.startswith("writers") else ours / floor for ours, floor in pairs]


def all_ratios(rounds: list[Round]) -> dict[str, float]:
    """The median ratio of each measure."""
    return {measure: median(ratios(rounds, measure)) for measure in (*MEASURES, *_writers(rounds))}


def _writers(rounds: list[Round]) -> list[str]:
    return [measure for measure in rounds[0][FLOOR] if measure.startswith("writers")]


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def beside_the_floor(rounds: list[Round]) -> str:
    rows: list[list[str]] = []
    for measure in (*MEASURES, *_writers(rounds)):
        floor, ours = (median(one[name][measure] for one in rounds) for name in (FLOOR, OURS))
        unit = "messages/s" if measure.startswith("writers") else "µs"
        found = ratios(rounds, measure)
        spread = f"{min(found):.2f} to {max(found):.2f}"
        rows.append([measure, f"{floor:,.0f} {unit}", f"{ours:,.0f} {unit}", f"{median(found):.2f}", spread])
    return _table(["", "floor", "Agentkeep", "ratio", "lowest and highest"], rows)


def in_turns(found: InTurns) -> str:
    """Without a server of ours, and of an embedded database, there is no account of a server."""
    kinds = ["elapsed", "client's processor time", "server's processor time"]
    if not any(spent[2] for both in found.values() for spent in both.values()):
        kinds.pop()
    rows = [
        [measure, *(_compared(both[FLOOR][kind], both[OURS][kind]) for kind in range(len(kinds)))]
        for measure, both in found.items()
    ]
    return _table(["in turns, µs a call", *kinds], rows)


def _compared(floor: float, ours: float) -> str:
    ratio = f" (×{ours / floor:.2f})" if floor else ""
    return f"{floor:,.0f} → {ours:,.0f}{ratio}"


def beside_peers(rounds: list[Round], versions: Mapping[str, str]) -> str:
    """Latencies, then the throughput of the most writers on one session, and what became of their messages."""
    writers = _writers(rounds)[-1]
    rows: list[list[str]] = []
    for name in (OURS, *versions):
        measured = [one[name] for one in rounds if name in one]
        if not measured:
            rows.append([f"{name} {versions[name]}", *["failed"] * len(OF_PEERS), "failed", ""])
            continue
        times = [_median(measured, measure) for measure in OF_PEERS]
        faults = {fault: sum(one[f"{fault} {writers.split()[1]}"] for one in measured) for fault in FAULTS}
        said = ", ".join(f"{count:,.0f} {fault}" for fault, count in faults.items() if count) or "none"
        rate = f"{median(one[writers] for one in measured):,.0f}"
        rows.append([f"{name} {versions.get(name, '')}".strip(), *times, rate, said])
    return _table(["", *(f"{measure}, µs" for measure in OF_PEERS), f"{writers}, messages/s", "faults"], rows)


def _median(measured: list[dict[str, float]], measure: str) -> str:
    return f"{median(one[measure] for one in measured):,.0f}" if measure in measured[0] else "not measured"


def growth(found: dict[str, Any]) -> str:
    """How each call's cost grows, as times that of the smallest, and what a message takes."""
    parts: list[str] = []
    for what, of in (("length", "messages in the session"), ("sessions", "sessions")):
        sizes = list(found[what])
        rows = [
            [call, f"{first:,.0f} µs", *(f"×{found[what][size][call] / first:.2f}" for size in sizes[1:])]
            for call, first in found[what][sizes[0]].items()
        ]
        parts.append(_table([of, *(f"{int(size):,}" for size in sizes)], rows))
    parts.append(
        f"A message of 400 bytes takes {found['stored']:,.0f} bytes, indexes included; all of them say the same, "
        "so a database that compresses needs less for them than for others. Iterating "
        f"{found['messages']:,} messages takes {found['peak'] / 2**20:.1f} MiB of Python's memory at its peak. "
        f"An import stores {found['imported']:,.0f} messages a second."
    )
    return "\n\n".join(parts)


def series(rounds: list[Round], name: str, beginning: str) -> list[tuple[float, float]]:
    """The points of one line: the numbers that end the measures' names, and the medians."""
    measures = [measure for measure in rounds[0][name] if measure.startswith(beginning)]
    return [(float(measure.split()[-1]), median(one[name][measure] for one in rounds)) for measure in measures]


def plots(backend: Backend, rounds: list[Round]) -> dict[str, str]:
    names = (FLOOR, OURS)
    found = {f"{name}, {what}": series(rounds, name, f"{what} at") for name in names for what in ("append", "last 50")}
    writing = {name: series(rounds, name, "writers") for name in names}
    return {
        f"{backend.name}-length.svg": chart(f"{backend.server}: µs a call", "messages in the session", found),
        f"{backend.name}-writers.svg": chart(f"{backend.server}: messages/s", "writers on one session", writing),
    }


def import_seconds() -> float:
    """The processor time of `import agentkeep` in a process of its own."""
    command = [sys.executable, "-c", _IMPORT]
    runs = [subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True) for _ in range(5)]  # noqa: S603
    return median(float(done.stdout) for done in runs)


def machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("redis", "hiredis", "asyncpg", "pymongo", "msgspec"))
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{os.cpu_count()} processors, {platform.machine()}, Python {platform.python_version()}, {packages}. "
        f"`import agentkeep` takes {import_seconds() * 1e3:.0f} ms of processor time. Load averages at the end: {load}."
    )


def report(
    results: Mapping[Backend, list[Round]],
    turns: Mapping[Backend, InTurns],
    grown: Mapping[Backend, dict[str, Any]],
    peers: Mapping[str, str],
    arguments: str,
) -> str:
    """`peers`: the version of each one that was measured."""
    count = len(next(iter(results.values())))
    parts = [
        "# Results",
        f"Written by `benchmarks/run.py {arguments}`: medians of {count} round(s). The ratio is Agentkeep to the floor "
        "in the same round, below 1 is faster than the floor; of writers it is the floor's throughput to Agentkeep's. "
        "After each run of writers the log was read: of the floor and of Agentkeep no message was lost, doubled, "
        'reordered or refused. `floors.py` says what a floor does and does not do. "In turns": the floor and Agentkeep '
        "in one process, ten calls each. Processor times hardly change if the machine also does other things.",
        machine(),
    ]
    for backend, rounds in results.items():
        parts += [f"## {backend.server}", beside_the_floor(rounds), in_turns(turns[backend])]
        if backend.name in REASONS:
            parts.append(REASONS[backend.name])
        parts.append("\n".join(f"![{name}]({name})" for name in plots(backend, rounds)))
        on_it = {name: version for name, version in peers.items() if any(name in one for one in rounds)}
        if on_it:
            parts += ["Beside other toolkits, each used as its documentation shows:", beside_peers(rounds, on_it)]
        if backend in grown:
            parts += ["As it grows:", growth(grown[backend])]
    return "\n\n".join(parts) + "\n"
