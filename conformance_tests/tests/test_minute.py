"""`--conformance-minute`: the order in which a minute asks, and what it leaves."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

_TESTS = """
import pytest
from agentkeep_conformance import minute
from agentkeep_conformance.clauses import takes_long

minute._LAST_BEGIN_SECONDS = {seconds}

@takes_long
def test_long() -> None: ...

@pytest.mark.parametrize("n", range(4))
def test_many(n: int) -> None: ...

@pytest.mark.parametrize("n", range(2))
def test_two(n: int) -> None: ...
"""


def output_of_a_minute(folder: Path, seconds: float, *options: str) -> str:
    """The output of a run of those seven tests, of which none begins later than that."""
    (folder / "test_few.py").write_text(_TESTS.format(seconds=seconds), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--conformance-minute", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def test_one_of_each_kind_comes_first_and_what_takes_long_last(tmp_path: Path) -> None:
    output = output_of_a_minute(tmp_path, 60)
    met = re.findall(r"::test_(\w+)(?:\[\d\])? PASSED", output)
    assert sorted(met[:2]) == sorted(met[2:4]) == ["many", "two"]
    assert met[4:] == ["many", "many", "long"]
    assert "the minute was over" not in output


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_what_could_not_begin_is_counted_and_no_test_passed(tmp_path: Path, options: tuple[str, ...]) -> None:
    output = output_of_a_minute(tmp_path, -1, *options)
    assert "the minute was over before 7 more tests" in output
    assert "passed" not in output
