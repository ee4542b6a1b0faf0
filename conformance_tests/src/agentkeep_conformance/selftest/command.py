"""The command: run the whole suite on every planted fault and print which tests kill it."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from agentkeep_conformance.selftest.child import all_tests
from agentkeep_conformance.selftest.matrix import Matrix, family_of, line
from agentkeep_conformance.selftest.planted import Planted, Unsound, read_faults, read_unfaulted
from agentkeep_conformance.selftest.runs import Run, Runner

FOLDER = Path(__file__).resolve().parents[3] / "selftest"
"""Where the faults are in the repository."""

QUICK = frozenset(
    {"sessions", "forks", "messages", "idempotency", "order_paging", "isolation", "prefixes", "reading", "errors"}
)
"""Families that are run on every fault, whatever it names: they take a few seconds in all, and most lies show there."""

QUICKEST = frozenset({"sessions", "messages", "idempotency"})
"""The same for a fault over a file or a server."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("only", nargs="*", metavar="FAULT", help="run these faults alone (then no test counts as idle)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the kill matrix to FILE")
    parser.add_argument(
        "--all", action="store_true", help="run every family on every fault (by default: its own and the quick ones)"
    )
    parser.add_argument(
        "--own", action="store_true", help="run only the family that each fault names: is it killed there?"
    )
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="enrolments at a time")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds after which a test counts as hung")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="holds faults/ and unfaulted/")


def run(arguments: argparse.Namespace) -> int:
    """0 if the matrix is full, 1 if not, 2 if it could not be computed."""
    try:
        faults = _chosen(read_faults(arguments.folder / "faults"), arguments.only)
        unfaulted = read_unfaulted(arguments.folder / "unfaulted")
    except Unsound as error:
        print(error)
        return 2
    with tempfile.TemporaryDirectory(prefix="agentkeep-selftest-") as logs:
        left_out = _nothing if arguments.all else _not_own if arguments.own else _not_quick
        runner = Runner(Path(logs), jobs=arguments.jobs, patience=arguments.patience, left_out=left_out)
        runs = runner.run([*([] if arguments.only or arguments.own else unfaulted), *faults], _say)
    unfaulted_runs, fault_runs = runs[: len(runs) - len(faults)], runs[len(runs) - len(faults) :]
    matrix = Matrix(all_tests(), unfaulted_runs, fault_runs, _known_gaps(arguments.folder))
    if arguments.json:
        arguments.json.write_text(json.dumps(matrix.as_json(), indent=1) + "\n", encoding="utf-8")
    return _conclude(matrix, whole=not (arguments.only or arguments.own))


def _known_gaps(folder: Path) -> frozenset[str]:
    """The tests that `known_gaps.txt` names, one a line; lines that begin with # say why."""
    path = folder / "known_gaps.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _chosen(faults: list[Planted], only: Sequence[str]) -> list[Planted]:
    unknown = set(only) - {fault.name for fault in faults}
    if unknown:
        raise Unsound(f"no fault {', '.join(sorted(unknown))}")
    return [fault for fault in faults if fault.name in only] if only else faults


def _nothing(planted: Planted) -> list[str]:
    return []


def _not_quick(planted: Planted) -> list[str]:
    """The tests that are not run on a fault; on what is right, all are."""
    if not planted.family:
        return []
    families = (QUICKEST if planted.distant else QUICK) | {planted.family}
    return [test for test in all_tests() if family_of(test) not in families]


def _not_own(planted: Planted) -> list[str]:
    return [test for test in all_tests() if family_of(test) != planted.family]


def _say(run: Run) -> None:
    print(line(run), flush=True)


def _conclude(matrix: Matrix, *, whole: bool) -> int:
    if not whole:
        seen = len(matrix.killed)
        print(f"killed {seen}/{len(matrix.faults)} faults")
        return 0 if seen == len(matrix.faults) else 1
    for heading, lines in (("tests that kill nothing", matrix.idle), ("problems", matrix.problems)):
        if lines:
            print(f"\n{heading}:", *lines, sep="\n  ")
    print(f"\n{matrix.verdict}")
    return 0 if matrix.full else 1
