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
    measures = ["append", "turn of 4", "last 50", "request", "load 1,000", "list 20 sessions"]
    assert rows[2:] == [*measures, "writers 1", "writers 4", "in turns, µs a call", "---", *measures]
    for name in ("sqlite-length.svg", "sqlite-writers.svg"):
        drawn = ElementTree.parse(tmp_path / name).getroot()  # noqa: S314 - our own file
        assert len(drawn.findall("{*}path")) > 2
        assert f"({name})" in text


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])


ACCEPTED = [["0 0", "0 1"], ["1 0", "1 1"]]


@pytest.mark.usefixtures("benchmarks")
@pytest.mark.parametrize(
    ("log", "fault"),
    [
        pytest.param(["0 0", "1 0", "0 1", "1 1"], None, id="as it should be"),
        pytest.param(["0 0", "1 0", "0 1"], "lost", id="lost"),
        pytest.param(["0 0", "1 0", "0 1", "1 1", "1 1"], "doubled", id="doubled"),
        pytest.param(["0 0", "1 1", "0 1", "1 0"], "reordered", id="reordered"),
    ],
)
def test_the_log_of_concurrent_writers_is_checked(log: list[str], fault: str | None) -> None:
    from measure import count_faults

    none = {"lost": 0, "doubled": 0, "reordered": 0}
    assert count_faults(log, ACCEPTED) == none | ({fault: 1} if fault else {})


@pytest.mark.usefixtures("benchmarks")
def test_a_ratio_that_grew_is_said_once_there_are_enough_runs(tmp_path: Path) -> None:
    import history

    file = tmp_path / "ratios.jsonl"
    for ratio in (1.0, 1.1, 0.9, 1.2):
        history.add(file, {"sqlite": {"append": ratio}})
    assert history.grown(file, {"sqlite": {"append": 9.0}}) == []
    history.add(file, {"sqlite": {"append": 1.0}})
    assert history.grown(file, {"sqlite": {"append": 1.3, "turn": 9.0}, "redis": {"append": 9.0}}) == []
    (sentence,) = history.grown(file, {"sqlite": {"append": 1.31}})
    assert "sqlite, append: 1.31" in sentence


@pytest.mark.usefixtures("benchmarks")
def test_a_peers_faults_are_in_its_row() -> None:
    from report import OF_PEERS, beside_peers

    figures = dict.fromkeys(OF_PEERS, 1.0) | {"writers 32": 10.0, "refused 32": 0.0, "lost 32": 2.0}
    figures |= {"doubled 32": 0.0, "reordered 32": 3.0}
    row = beside_peers([{"floor": figures, "agentkeep": figures, "other": figures}], {"other": "1.2"}).splitlines()[-1]
    assert row.startswith("| other 1.2 | 1 |")
    assert row.endswith("| 10 | 2 lost, 3 reordered |")
