"""The benchmark works; what it measures here means nothing and is not looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_a_smoke_run_writes_a_row_of_each_measure_and_the_plots(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--smoke", "--backends", "sqlite", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "RESULTS.md").read_text()
    rows = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.startswith("| ")]
    assert rows[1:] == ["append", "turn of 4", "last 50", "load 1,000", "list 20 sessions", "writers 1", "writers 4"]
    for name in ("sqlite-length.svg", "sqlite-writers.svg"):
        drawn = ElementTree.parse(tmp_path / name).getroot()  # noqa: S314 - our own file
        assert len(drawn.findall("{*}path")) > 2
        assert f"({name})" in text


@pytest.mark.parametrize(
    "log",
    [
        pytest.param([(1, "0 0"), (2, "1 0"), (3, "0 1")], id="lost"),
        pytest.param([(1, "0 0"), (2, "1 0"), (3, "0 1"), (4, "1 1"), (5, "1 1")], id="doubled"),
        pytest.param([(1, "0 0"), (2, "1 1"), (3, "0 1"), (4, "1 0")], id="reordered"),
        pytest.param([(1, "0 0"), (3, "1 0"), (4, "0 1"), (5, "1 1")], id="a seq is missing"),
    ],
)
def test_the_log_of_concurrent_writers_is_checked(log: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    from measure import check_log  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    check_log([(1, "0 0"), (2, "1 0"), (3, "0 1"), (4, "1 1")], 2, 2)
    with pytest.raises(AssertionError):
        check_log(log, 2, 2)
