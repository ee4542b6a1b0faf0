"""Measures Agentkeep beside its driver's floor on each backend that is there, and writes RESULTS.md and its plots.

    .venv/bin/python benchmarks/run.py                          # about 2 minutes on a quiet machine
    .venv/bin/python benchmarks/run.py --backends sqlite --rounds 7
    .venv/bin/python benchmarks/run.py --peers all              # other toolkits too, each in an environment of its own
    .venv/bin/python benchmarks/run.py --growth --sessions 1000 1000000
    .venv/bin/python benchmarks/run.py --history ratios.jsonl   # ends with 1 if a ratio grew by more than 30 %
    .venv/bin/python benchmarks/run.py --smoke --out /tmp/x     # whether it works; its figures mean nothing

Each candidate is a process of its own. A round runs all of them in turn, and a ratio is of one round, so that a busy
machine slows both sides alike. What is shown is the median of the rounds and their spread. Peers run in the first round
alone, as some take minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import history
from backends import Backend, backends
from candidate import FLOOR, OURS
from environments import PEERS, environment, version_of
from report import FAULTS, InTurns, Round, all_ratios, plots, report

HERE = Path(__file__).parent
BACKENDS = ["sqlite", "redis", "postgres", "mongo", "opensearch"]
CALLS_OF_PEERS = 20
CALLS_IN_TURNS = 300
"""So many that a server's processor time, which the system tells in steps of 10 ms, is right to some hundredths."""
LONGEST = 300.0
"""Seconds of one candidate's process."""


@contextmanager
def namespace_of(backend: Backend) -> Generator[str]:
    namespace = f"bench{uuid4().hex[:8]}"
    backend.prepare(namespace)
    try:
        yield namespace
    finally:
        backend.remove(namespace)


def measured(backend: Backend, name: str, calls: int, python: str = sys.executable) -> dict[str, float]:
    """What one candidate's process measured. Raises `CalledProcessError`."""
    with namespace_of(backend) as namespace:
        command = [python, str(HERE / "measure.py"), backend.name, name, backend.url, namespace, str(calls)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=LONGEST)  # noqa: S603
        return json.loads(done.stdout.splitlines()[-1])


def one_round(backend: Backend, calls: int, peers: dict[str, str]) -> Round:
    """`peers`: the Python of each one's environment. A peer that fails is said and left out of this round."""
    found = {name: measured(backend, name, calls) for name in (FLOOR, OURS)}
    for name, figures in found.items():
        faults = {measure: count for measure, count in figures.items() if measure.split()[0] in FAULTS and count}
        if faults:
            raise SystemExit(f"{name} on {backend.server}: messages of concurrent writers: {faults}")
    for name, python in peers.items():
        if backend.name not in PEERS[name].backends:
            continue
        try:
            found[name] = measured(backend, name, min(calls, CALLS_OF_PEERS), python)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"{name} failed on {backend.server}: {error}", file=sys.stderr)
    return found


def grown(backend: Backend, lengths: list[int], counts: list[int], calls: int) -> dict[str, Any]:
    """What `growth.py` found."""
    with ExitStack() as stack:
        namespaces = [stack.enter_context(namespace_of(backend)) for _ in range(1 + len(counts))]
        command = [sys.executable, str(HERE / "growth.py"), backend.name, backend.url, json.dumps(namespaces)]
        command += [json.dumps(lengths), json.dumps(counts), str(calls)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603
            assert child.stdin is not None
            assert child.stdout is not None
            last = ""
            for line in child.stdout:
                if line == "size\n":
                    child.stdin.write(f"{backend.size(namespaces[0])}\n")
                    child.stdin.flush()
                last = line
        if child.returncode:
            raise SystemExit(f"the growth of {backend.server} was not measured")
        return json.loads(last)


def in_turns(backend: Backend, calls: int) -> InTurns:
    """What `processor.py` found."""
    with ExitStack() as stack:
        namespaces = [stack.enter_context(namespace_of(backend)) for _ in (FLOOR, OURS)]
        command = [sys.executable, str(HERE / "processor.py"), backend.name, backend.url, json.dumps(namespaces)]
        command += [str(calls), json.dumps(backend.pids)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
        return json.loads(done.stdout.splitlines()[-1])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=200, help="of each measure in a round")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder of RESULTS.md and the plots")
    parser.add_argument("--peers", nargs="+", default=[], choices=["all", *PEERS])
    parser.add_argument("--growth", action="store_true", help="also measure long sessions and many sessions")
    parser.add_argument("--lengths", nargs="+", type=int, default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--sessions", nargs="+", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--history", type=Path, help="a file of earlier ratios, to which this run's are added")
    parser.add_argument("--smoke", action="store_true", help="one short round")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    rounds, calls = (1, 3) if options.smoke else (options.rounds, options.calls)
    names: list[str] = list(PEERS) if "all" in options.peers else options.peers
    peers = {name: environment(name) for name in names}
    with backends(options.backends) as found:
        if not found:
            raise SystemExit("none of these backends is there")
        results: dict[Backend, list[Round]] = {backend: [] for backend in found}
        for number in range(rounds):
            for backend, done in results.items():
                print(f"round {number + 1} of {rounds}: {backend.server}", file=sys.stderr)
                done.append(one_round(backend, calls, peers if number == 0 else {}))
        turns = {backend: in_turns(backend, calls if options.smoke else CALLS_IN_TURNS) for backend in found}
        large: dict[Backend, dict[str, Any]] = {}
        for backend in found if options.growth else []:
            print(f"growth: {backend.server}", file=sys.stderr)
            large[backend] = grown(backend, options.lengths, options.sessions, calls)
    options.out.mkdir(parents=True, exist_ok=True)
    versions = {name: version_of(name) for name in names}
    (options.out / "RESULTS.md").write_text(report(results, turns, large, versions, " ".join(sys.argv[1:])))
    for backend, done in results.items():
        for name, text in plots(backend, done).items():
            (options.out / name).write_text(text)
    return remember(options.history, results) if options.history else 0


def remember(file: Path, results: dict[Backend, list[Round]]) -> int:
    ratios = {backend.name: all_ratios(rounds) for backend, rounds in results.items()}
    worse = history.grown(file, ratios)
    history.add(file, ratios)
    for sentence in worse:
        print(sentence, file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
