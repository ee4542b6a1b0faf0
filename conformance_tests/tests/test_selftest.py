"""The self-test's own tests: it says who survives, who hangs and what is idle. The whole matrix is the command's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from agentkeep_conformance import AdapterConformance
from agentkeep_conformance.clauses import clauses_of
from agentkeep_conformance.selftest.child import all_tests
from agentkeep_conformance.selftest.command import FOLDER, QUICK
from agentkeep_conformance.selftest.matrix import Matrix, family_of, line
from agentkeep_conformance.selftest.planted import Planted, Unsound, read_faults, read_unfaulted
from agentkeep_conformance.selftest.runs import Run

RIGHT = '''"""It says that it lies, and does not."""
from over import OverMemory
FAMILY = "forks"
CLAUSE = "SES-5"
class TestFault(OverMemory):
    pass
'''
HANGING = '''"""A fork at 0 never ends."""
import asyncio
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory
FAMILY = "forks"
CLAUSE = "SES-5"
class Sessions(MemorySessions):
    async def fork(self, scope, fork):
        await asyncio.sleep(600 if fork.at_seq == 0 else 0)
        return await super().fork(scope, fork)
class TestFault(OverMemory):
    sessions = Sessions
'''


def selftest(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = "from agentkeep_conformance.command import main; raise SystemExit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, "selftest", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(FOLDER)},
        timeout=300,
    )


def test_a_planted_fault_is_killed_by_its_family() -> None:
    done = selftest("fork_at_0_copies_all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed    fork_at_0_copies_all [SES-5] <- forks::test_a_fork_at_0_is_empty" in done.stdout
    assert done.stdout.splitlines()[-1] == "killed 1/1 faults"


def test_a_backend_that_rewrites_one_file_fails_at_its_costs_and_without_its_syncs_at_crashes(tmp_path: Path) -> None:
    """It passed the whole suite once, and so did the same backend without fsync or without the atomic rename."""
    unsafe = ["writes_its_file_in_place", "renames_before_the_sync"]
    done = selftest("rewrites_one_file", *unsafe, "--own", "--json", str(tmp_path / "matrix"))
    assert done.returncode == 0, done.stdout + done.stderr
    faults = json.loads((tmp_path / "matrix").read_text())["faults"]
    clauses = {
        name: {clause for test in fault["killed_by"] for clause in _clauses(test)} for name, fault in faults.items()
    }
    assert clauses["rewrites_one_file"] >= {"READ-3", "READ-5", "COST-2"}
    assert all("FLT-1" in clauses[name] for name in unsafe)


def _clauses(test: str) -> tuple[str, ...]:
    return clauses_of(getattr(AdapterConformance, test.rpartition("::")[2].partition("[")[0]))


def test_who_does_not_lie_survives_and_fails_the_run(tmp_path: Path) -> None:
    for folder, name in (("faults", "right"), ("unfaulted", "memory")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.py").write_text(RIGHT)
    done = selftest("right", "--folder", str(tmp_path))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "SURVIVED  right [SES-5] <- nothing" in done.stdout
    assert done.stdout.splitlines()[-1] == "killed 0/1 faults"


def test_a_test_that_hangs_is_stopped_and_is_no_kill(tmp_path: Path) -> None:
    for folder, name in (("faults", "hangs"), ("unfaulted", "memory")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.py").write_text(HANGING)
    done = selftest("hangs", "--folder", str(tmp_path), "--patience", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "SURVIVED  hangs" in done.stdout
    assert " hung" in done.stdout


@pytest.mark.parametrize("head", ["", '"""A lie."""\n', '"""A lie."""\nFAMILY = "forks"\nCLAUSE = "NONE-1"\n'])
def test_a_file_that_does_not_say_what_it_is_is_refused(tmp_path: Path, head: str) -> None:
    (tmp_path / "fault.py").write_text(head)
    with pytest.raises(Unsound):
        read_faults(tmp_path)


def test_every_fault_names_a_family() -> None:
    faults = read_faults(FOLDER / "faults")
    families = {family_of(test) for test in all_tests()}
    assert len(faults) >= 50
    assert {fault.family for fault in faults} <= families
    assert families >= QUICK
    assert read_unfaulted(FOLDER / "unfaulted")


def _run(name: str, family: str = "", *, failed: str = "", passed: str = "") -> Run:
    run = Run(Planted(name, Path(f"{name}.py"), "a lie", family, "SES-5"))
    run.failed = dict.fromkeys(failed.split(), "E assert")
    run.passed = set(passed.split())
    return run


def test_a_full_matrix_is_full() -> None:
    right = _run("memory", passed="a::one b::two")
    matrix = Matrix(
        ["a::one", "b::two"],
        [right],
        [_run("x", "a", failed="a::one", passed="b::two"), _run("y", "b", failed="b::two", passed="a::one")],
    )
    assert (matrix.full, matrix.problems, matrix.idle) == (True, [], [])
    assert matrix.verdict == "killed 2/2 faults; 2 tests, 0 kill nothing"
    assert matrix.as_json()["tests"] == {"a::one": ["x"], "b::two": ["y"]}


@pytest.mark.parametrize(
    ("right", "fault", "says"),
    [
        (_run("memory", passed="a::one b::two"), _run("x", "b", failed="a::one", passed="b::two"), "survives"),
        (_run("memory", passed="a::one", failed="b::two"), _run("x", "a", failed="a::one"), "which is right, fails"),
        (_run("memory", passed="a::one"), _run("x", "a", failed="a::one"), "passed by no adapter"),
        (_run("memory", passed="a::one b::two"), _run("x", "a", failed="a::one b::two"), "more than one lie"),
    ],
    ids=["survivor", "base fails", "never run", "breaks everything"],
)
def test_what_is_missing_of_a_full_matrix_is_said(right: Run, fault: Run, says: str) -> None:
    matrix = Matrix(["a::one", "b::two"], [right], [fault])
    assert not matrix.full
    assert says in "\n".join(matrix.problems)


def test_the_list_of_known_gaps_can_only_shrink() -> None:
    fault = _run("x", "a", failed="a::one", passed="b::two")
    right = _run("memory", passed="a::one b::two")
    tests = ["a::one", "b::two", "c::three"]
    known = Matrix(tests, [right], [fault], frozenset({"b::two", "c::three"}))
    assert (known.full, known.problems, known.idle) == (True, [], [])
    assert known.gaps == ["b::two", "c::three"]
    assert known.verdict == "killed 1/1 faults; 3 tests, 0 kill nothing, 2 have a known gap"
    assert not Matrix(tests, [right], [fault], frozenset({"b::two"})).full
    closed = Matrix(
        tests[:2], [right], [fault, _run("y", "b", failed="b::two", passed="a::one")], frozenset({"b::two"})
    )
    assert closed.problems == ["b::two has no gap any more: take it out of known_gaps.txt"]


def test_an_idle_test_and_a_hang_make_it_less_than_full() -> None:
    fault = _run("x", "a", failed="a::one", passed="b::two")
    matrix = Matrix(["a::one", "b::two"], [_run("memory", passed="a::one b::two")], [fault])
    assert (matrix.idle, matrix.full) == (["b::two"], False)
    assert matrix.verdict == "killed 1/1 faults; 2 tests, 1 kill nothing"
    fault.hung.add("b::two")
    assert "does not say so" in "\n".join(matrix.problems)
    assert "1 hung" in line(fault)
