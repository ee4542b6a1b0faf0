"""`agentkeep-conformance mutate`: what it says of a package with one test too few, and how a cut run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from agentkeep_conformance.mutate.explained import Unreadable, read
from agentkeep_conformance.mutate.mutants import mutants_of
from agentkeep_conformance.mutate.runs import PARTS

TOY = '''"""A toy."""

from __future__ import annotations


def grown(number: int) -> int:
    """By one, if it is small."""
    if number < 10:
        number += 1
    return number
'''
TOY_TESTS = """
from agentkeep_toycalc import grown
def test_small(): assert grown(3) == 4
def test_large(): assert grown(20) == 20
"""


COMMAND = "from agentkeep_conformance.command import main; raise SystemExit(main())"


def test_a_mutants_name_stays_if_lines_are_added_above(tmp_path: Path) -> None:
    def names(source: str) -> list[str]:
        (tmp_path / "toy.py").write_text(source)
        return [mutant.name for mutant in mutants_of(tmp_path, [], [])]

    assert names(TOY) == names(TOY.replace("\n\n\ndef", "\n\nOTHER = 'x'\n\n\ndef"))
    assert "toy.py grown [compare] if number < 10: => if number <= 10:" in names(TOY)


def test_a_reason_stands_above_its_survivors(tmp_path: Path) -> None:
    file = tmp_path / "explained.txt"
    file.write_text("# It only makes it slower.\na [b] c => d\na [b] e => f\n")
    assert read(file) == dict.fromkeys(("a [b] c => d", "a [b] e => f"), "It only makes it slower.")
    file.write_text("a [b] c => d\n")
    with pytest.raises(Unreadable, match="has no reason"):
        read(file)


def start(folder: Path, *arguments: str, tests: str = TOY_TESTS) -> subprocess.Popen[str]:
    """Run the command on a toy package whose tests don't know its bound, 10."""
    package = folder / "src/agentkeep_toycalc"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(TOY)
    file = folder / "adapters/toycalc/tests/test_conformance.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(tests)
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "mutate", "toycalc", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src")},
    )


def mutate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(folder, *arguments)
    output = process.communicate(timeout=120)[0]
    return subprocess.CompletedProcess(arguments, process.returncode, output)


SURVIVOR = "__init__.py grown [compare] if number < 10: => if number <= 10:"
OTHER = "__init__.py grown [number] if number < 10: => if number < 11:"


def test_survivors_are_shown_and_reasons_must_be_true(tmp_path: Path) -> None:
    explained = tmp_path / "explained.txt"
    killed = "__init__.py grown [number] number += 1 => number += 2"
    explained.write_text(f"# Nobody is promised a bound.\n{SURVIVOR}\n{killed}\ngone\n")
    done = mutate(tmp_path, "--explained", str(explained))
    assert done.returncode == 1, done.stdout
    assert "-    if number < 10:\n+    if number <= 10:" in done.stdout
    assert f"survivors that nobody has explained:\n  {OTHER}" in done.stdout
    assert f"was killed: {killed}" in done.stdout
    assert "is no mutant any more: gone" in done.stdout
    assert done.stdout.splitlines()[-1] == "killed 3/5 mutants; 1 survived, 1 more are explained"
    assert (tmp_path / "src/agentkeep_toycalc/__init__.py").read_text() == TOY


def test_a_cut_run_goes_on_where_it_was(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    whole = mutate(tmp_path, "--keep", str(kept))
    *found, last = kept.read_text().splitlines()
    kept.write_text("\n".join(found).replace('"why": "E ', '"why": "as it was kept ') + "\n")
    again = mutate(tmp_path, "--keep", str(kept))
    assert again.stdout.splitlines()[-1] == "killed 3/5 mutants; 2 survived, 0 more are explained"
    assert whole.stdout.splitlines()[-1] == again.stdout.splitlines()[-1]
    assert "as it was kept" in again.stdout
    assert len(kept.read_text().splitlines()) == len([*found, last])
    kept.write_text(kept.read_text().replace('"state": "', '"state": "0'))
    other = mutate(tmp_path, "--keep", str(kept))
    assert (other.returncode, "was written by other sources" in other.stdout) == (2, True)


WAITING_TESTS = """
import pathlib, time
from agentkeep_toycalc import grown
def test_small():
    if grown(3) != 4:
        pathlib.Path("waits").touch()
        time.sleep(600)
"""


def test_the_end_of_a_cut_run_kills_no_mutant(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    process = start(tmp_path, "--keep", str(kept), tests=WAITING_TESTS)
    while not (tmp_path / "waits").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert "did not end" not in kept.read_text()


SMALL_TESTS = 2 * PARTS
COUNTED_TESTS = f"""
import pathlib, time, pytest
from agentkeep_toycalc import grown
@pytest.mark.parametrize("number", range({SMALL_TESTS}))
def test_small(number):
    with pathlib.Path("ran").open("a") as file:
        file.write("x")
    assert grown(3) == 4
def test_waiting():
    waits = pathlib.Path("waits")
    if not waits.exists():
        waits.touch()
        time.sleep(600)
"""


def test_a_cut_measurement_goes_on_with_the_tests_that_are_left(tmp_path: Path) -> None:
    arguments = ("--keep", str(tmp_path / "kept"), "--jobs", "1", "--rule", "calculate")
    process = start(tmp_path, *arguments, tests=COUNTED_TESTS)
    while not (tmp_path / "waits").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    process.communicate(timeout=60)
    again = start(tmp_path, *arguments, tests=COUNTED_TESTS)
    output = again.communicate(timeout=120)[0]
    assert output.splitlines()[-1] == "killed 1/1 mutants; 0 survived, 0 more are explained"
    assert (tmp_path / "ran").read_text() == "x" * (SMALL_TESTS + 2), "each once, and twice to kill"


def test_after_a_change_only_what_it_may_change_is_asked_again(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    arguments = ("--keep", str(kept), "--jobs", "1", "--rule", "calculate", "--rule", "number")
    (tmp_path / "waits").touch()
    whole = start(tmp_path, *arguments, tests=COUNTED_TESTS).communicate(timeout=120)[0]
    (tmp_path / "ran").unlink()
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    for line in lines:
        line |= {"whole_at": "other families"} if "part" in line else {}
        changed = [said for said in line.get("said", []) if said["test"].endswith("[3]")]
        changed += [line["record"]] if "[calculate]" in line.get("mutant", "") else []
        for said in changed:
            said["source"] = "another"
    kept.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = start(tmp_path, *arguments, tests=COUNTED_TESTS).communicate(timeout=120)[0]
    assert again.splitlines()[-1] == whole.splitlines()[-1]
    assert "killed 2/3 mutants" in whole
    assert (tmp_path / "ran").read_text() == "xxx", "one measured, one verdict asked twice"


BREAKING_TESTS = """
import os, pytest
from agentkeep_toycalc import grown
def test_small():
    if grown(3) != 4:
        os._exit(pytest.ExitCode.INTERNAL_ERROR)
"""


def test_a_mutant_that_breaks_pytest_is_killed(tmp_path: Path) -> None:
    output = start(tmp_path, "--rule", "calculate", tests=BREAKING_TESTS).communicate(timeout=120)[0]
    assert output.splitlines()[-1] == "killed 1/1 mutants; 0 survived, 0 more are explained"


def test_what_no_test_killed_within_its_time_is_a_survivor(tmp_path: Path) -> None:
    done = mutate(tmp_path, "--limit", "0.000001")
    assert done.returncode == 1, done.stdout
    assert done.stdout.count("not killed by the limit") == 5
    assert done.stdout.splitlines()[-1] == "killed 0/5 mutants; 5 survived, 0 more are explained"
