"""`--conformance-minute`: the order in which a minute asks, and what it leaves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from agentkeep_conformance.costs import costs_text

_SETTINGS = """
from pathlib import Path
from agentkeep_conformance import costs, minute

minute._LAST_BEGIN_SECONDS = {seconds}
costs._FILE = Path(__file__).with_name("seconds.json")
"""
_SECONDS = {"test_long": {"sqlite": 5}, "test_two": {"redis": 0.1, "mongo": 0.4}, "test_too_long": {"sqlite": 60}}
_TESTS = """
import pytest

def test_too_long() -> None: ...

def test_long() -> None: ...

@pytest.mark.parametrize("n", range(4))
def test_many(n: int) -> None: ...

@pytest.mark.parametrize("n", range(2))
def test_two(n: int) -> None: ...
"""
_ENROLMENTS = """
from agentkeep_conformance import AdapterConformance

class TestMine(AdapterConformance):
    families = ("idempotency",)

class TestMineElsewhere(TestMine):
    pass
"""


def output_of_a_minute(folder: Path, seconds: float, *options: str, tests: str = _TESTS) -> str:
    """The output of a run of these tests, of which none begins later than that."""
    (folder / "conftest.py").write_text(_SETTINGS.format(seconds=seconds), encoding="utf-8")
    (folder / "seconds.json").write_text(json.dumps(_SECONDS), encoding="utf-8")
    (folder / "test_few.py").write_text(tests, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--conformance-minute", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def test_cheap_tests_come_first_and_each_further_case_counts_as_dearer(tmp_path: Path) -> None:
    output = output_of_a_minute(tmp_path, 50)
    met = re.findall(r"::test_(\w+)(?:\[\d\])? PASSED", output)
    assert met == ["many", "two", "many", "two", "many", "long", "many"]
    assert "the minute was over before 1 more tests" in output


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_what_could_not_begin_is_counted_and_no_test_passed(tmp_path: Path, options: tuple[str, ...]) -> None:
    output = output_of_a_minute(tmp_path, -1, *options)
    assert "the minute was over before 8 more tests" in output
    assert "passed" not in output


def test_of_a_databases_topologies_the_first_is_asked(tmp_path: Path) -> None:
    output = output_of_a_minute(tmp_path, 50, "--collect-only", tests=_ENROLMENTS)
    assert "<Class TestMine>" in output
    assert "<Class TestMineElsewhere>" not in output


def test_costs_are_the_mean_of_a_tests_cases_on_adapters_that_ran_most_tests() -> None:
    def proved(seconds: float) -> dict[str, object]:
        return {"outcome": "proved", "seconds": seconds}

    mine = {"a::test_x[1]": proved(1), "a::test_x[2]": proved(2), "a::test_y": proved(0), "a::test_z": proved(0.5)}
    sample = {"a::test_x[1]": proved(7), "a::test_y": {"outcome": "n/a", "seconds": 0}}
    text = costs_text({"adapters": {"mine": {"tests": mine}, "sample": {"tests": sample}}})
    assert json.loads(text) == {"a::test_x": {"mine": 1.5}, "a::test_y": {"mine": 0.01}, "a::test_z": {"mine": 0.5}}
