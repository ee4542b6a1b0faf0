"""Measures Agentkeep beside its driver's floor on each backend that is there, and writes RESULTS.md and its plots.

    .venv/bin/python benchmarks/run.py                          # about 10 minutes on a quiet machine
    .venv/bin/python benchmarks/run.py --backends sqlite --rounds 7
    .venv/bin/python benchmarks/run.py --smoke --out /tmp/x     # whether it works; its figures mean nothing

Each candidate is a process of its own. A round runs all of them in turn, and a ratio is of one round, so that a busy
machine slows both sides alike. What is shown is the median of the rounds and their spread. Servers are those of the
conformance suite: its own, or what AGENTKEEP_TEST_REDIS_URL and AGENTKEEP_TEST_POSTGRES_URL name.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, cast
from uuid import uuid4

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
from agentkeep_conformance.servers import POSTGRES, REDIS
from agentkeep_conformance.servers.chosen import ChosenServer
from agentkeep_conformance.servers.model import NotRun
from plots import chart
from redis import Redis

HERE = Path(__file__).parent
NAMES = ("floor", "agentkeep")
MEASURES = ("append", "turn of 4", "last 50", "load 1,000", "list 20 sessions")

Round = dict[str, dict[str, float]]
"""What one round measured of each candidate."""


class Backend(NamedTuple):
    name: str
    server: str
    url: str
    prepare: Callable[[str], None]
    """Make room for one candidate's data under a namespace."""
    remove: Callable[[str], None]


def _nothing(namespace: str) -> None:
    """The data goes with its folder."""


def _postgres(statement: str) -> Callable[[str], None]:
    async def run(namespace: str) -> None:
        connection = cast("Any", await asyncpg.connect(POSTGRES.dsn))  # pyright: ignore[reportUnknownMemberType]
        await connection.execute(statement.format(namespace))
        await connection.close()

    return lambda namespace: asyncio.run(run(namespace))


def _empty_redis(namespace: str) -> None:
    client: Any = Redis.from_url(REDIS.dsn)  # pyright: ignore[reportUnknownMemberType] - untyped by the driver
    with client:
        for key in client.scan_iter(match=f"{namespace}*", count=1_000):
            client.unlink(key)


def is_there(server: ChosenServer) -> bool:
    try:
        return bool(server.dsn)
    except NotRun as reason:
        print(f"left out: {reason}", file=sys.stderr)
        return False


@contextmanager
def backends(names: list[str]) -> Generator[list[Backend]]:
    found: list[Backend] = []
    with tempfile.TemporaryDirectory() as folder:
        if "sqlite" in names:
            found.append(Backend("sqlite", f"SQLite {sqlite3.sqlite_version}", folder, _nothing, _nothing))
        if "redis" in names and is_there(REDIS):
            found.append(Backend("redis", f"Redis {REDIS.version()}", REDIS.dsn, _nothing, _empty_redis))
        if "postgres" in names and is_there(POSTGRES):
            make, drop = _postgres("CREATE SCHEMA {}"), _postgres("DROP SCHEMA {} CASCADE")
            found.append(Backend("postgres", f"PostgreSQL {POSTGRES.version()}", POSTGRES.dsn, make, drop))
        yield found


def measured(backend: Backend, name: str, calls: int) -> dict[str, float]:
    """What one candidate's process measured. Raises `CalledProcessError` if a check of it failed."""
    namespace = f"bench{uuid4().hex[:8]}"
    backend.prepare(namespace)
    try:
        command = [sys.executable, str(HERE / "measure.py"), backend.name, name, backend.url, namespace, str(calls)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own file
        return json.loads(done.stdout)
    finally:
        backend.remove(namespace)


def ratios(rounds: list[Round], measure: str) -> list[float]:
    """Of each round, how many times as long as the floor takes. Of writers, how many times slower."""
    pairs = [(one["agentkeep"][measure], one["floor"][measure]) for one in rounds]
    return [floor / ours if measure.startswith("writers") else ours / floor for ours, floor in pairs]


def table(backend: Backend, rounds: list[Round]) -> str:
    lines = [
        f"## {backend.server}",
        "",
        "| | floor | Agentkeep | ratio | lowest and highest |",
        "|---|---|---|---|---|",
    ]
    writers = [measure for measure in rounds[0]["floor"] if measure.startswith("writers")]
    for measure in (*MEASURES, *writers):
        floor, ours = (median(one[name][measure] for one in rounds) for name in NAMES)
        unit = "messages/s" if measure in writers else "µs"
        found = ratios(rounds, measure)
        spread = f"{min(found):.2f} to {max(found):.2f}"
        lines.append(f"| {measure} | {floor:,.0f} {unit} | {ours:,.0f} {unit} | {median(found):.2f} | {spread} |")
    return "\n".join(lines)


def series(rounds: list[Round], name: str, beginning: str) -> list[tuple[float, float]]:
    """The points of one line: the numbers that end the measures' names, and the medians."""
    measures = [measure for measure in rounds[0][name] if measure.startswith(beginning)]
    return [(float(measure.split()[-1]), median(one[name][measure] for one in rounds)) for measure in measures]


def plots(backend: Backend, rounds: list[Round]) -> dict[str, str]:
    found = {f"{name}, {what}": series(rounds, name, f"{what} at") for name in NAMES for what in ("append", "last 50")}
    writing = {name: series(rounds, name, "writers") for name in NAMES}
    return {
        f"{backend.name}-length.svg": chart(f"{backend.server}: µs a call", "messages in the session", found),
        f"{backend.name}-writers.svg": chart(f"{backend.server}: messages/s", "writers on one session", writing),
    }


def machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("redis", "hiredis", "asyncpg", "msgspec"))
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{os.cpu_count()} processors, {platform.machine()}, Python {platform.python_version()}, {packages}. "
        f"Load averages at the end: {load}."
    )


def report(results: dict[Backend, list[Round]], command: str) -> str:
    rounds = len(next(iter(results.values())))
    parts = [
        "# Results",
        f"`{command}`: medians of {rounds} round(s). The ratio is Agentkeep to the floor in the same round, below 1 is "
        "faster than the floor; of writers it is the floor's throughput to Agentkeep's. Each run of writers was "
        "checked: no message was lost, doubled or out of order. `candidates.py` says what the floors do and do not do.",
        machine(),
    ]
    for backend, measured_rounds in results.items():
        parts.append(table(backend, measured_rounds))
        parts.append("\n".join(f"![{name}]({name})" for name in plots(backend, measured_rounds)))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--backends", nargs="+", default=["sqlite", "redis", "postgres"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=200, help="of each measure in a round")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder of RESULTS.md and the plots")
    parser.add_argument("--smoke", action="store_true", help="one short round")
    options = parser.parse_args()
    rounds, calls = (1, 3) if options.smoke else (options.rounds, options.calls)
    with backends(options.backends) as found:
        if not found:
            parser.error("none of these backends is there")
        results: dict[Backend, list[Round]] = {backend: [] for backend in found}
        for number in range(rounds):
            for backend, done in results.items():
                print(f"round {number + 1} of {rounds}: {backend.server}", file=sys.stderr)
                done.append({name: measured(backend, name, calls) for name in NAMES})
    options.out.mkdir(parents=True, exist_ok=True)
    command = " ".join(["benchmarks/run.py", *sys.argv[1:]])
    (options.out / "RESULTS.md").write_text(report(results, command))
    for backend, done in results.items():
        for name, text in plots(backend, done).items():
            (options.out / name).write_text(text)


if __name__ == "__main__":
    main()
