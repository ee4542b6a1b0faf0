"""CONTRIBUTING's recipe for a new backend, followed to the letter, outside of the workspace."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from agentkeep_conformance.outcomes import TIER

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / "toy"
EVERYDAY = ' -- -k "session or message"'
"""A third of the suite's tests, in a quarter of its time: enough to see that the recipe's command runs the suite on the
adapter, as the memory adapter, which the toy is made of, runs all of it anyway. The nightly tier runs the recipe as it
stands."""


def recipe() -> list[str]:
    """Its commands, block by block."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Add a backend\n")[2]
    return re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"HOME": str(tmp_path), "PATH": programs, "LANG": "C.UTF-8"}


def shell(commands: str, where: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_recipe_makes_an_adapter_that_the_suite_runs(
    tmp_path: Path, environment: dict[str, str], request: pytest.FixtureRequest
) -> None:
    copy_and_name, run = recipe()
    made = shell(copy_and_name, ROOT, environment)
    assert made.returncode == 0, made.stderr
    toy = tmp_path / "agentkeep-toy"
    left = [str(file) for file in toy.rglob("*") if "NAME" in file.name or "CLASS" in file.name]
    left += [str(file) for file in toy.rglob("*.*") if re.search("NAME|CLASS", file.read_text(encoding="utf-8"))]
    assert left == []

    worked = "import agentkeep_toy.statements as sql; print(sorted(sql.statements('ak_')), len(sql.migrations('ak_')))"
    loaded = shell(f'PYTHONPATH=src python -c "{worked}"', toy, environment)
    assert loaded.stdout == "['get_message', 'get_session', 'is_visible'] 1\n", loaded.stderr

    one_test = "test_conformance.py::TestToy::test_open_and_close_are_idempotent"
    empty = shell(run.replace("test_conformance.py", one_test), toy, environment)
    assert empty.returncode == 1
    assert empty.stdout.splitlines()[-1] == "0 passed, 1 failed"

    shutil.copytree(TOY, toy, dirs_exist_ok=True)
    sample = "" if request.config.stash[TIER] == "nightly" else EVERYDAY
    filled = shell(run.strip() + sample, toy, environment)
    *_, last = filled.stdout.splitlines()
    assert filled.returncode == 0, filled.stdout[-3_000:] + filled.stderr
    passed = re.fullmatch(r"(\d+) passed, 0 failed", last)
    assert passed is not None, last
    assert int(passed[1]) > 500


def begun(tmp_path: Path, environment: dict[str, str]) -> Path:
    made = shell(recipe()[0], ROOT, environment)
    assert made.returncode == 0, made.stderr
    return tmp_path / "agentkeep-toy"


def test_a_bare_template_stops_at_the_first_test_and_says_where_to_start(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    done = shell(recipe()[1], begun(tmp_path, environment), environment)
    assert done.returncode == 1
    assert "Client.open is not written yet: start there" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed"


def test_a_package_that_python_does_not_find_is_named_with_its_path(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    toy = begun(tmp_path, environment)
    done = shell(recipe()[1].replace("PYTHONPATH=src ", ""), toy, environment)
    assert done.returncode == 1
    assert f"set PYTHONPATH={toy / 'src'}" in done.stdout


def test_a_clause_alone_is_run_and_a_reader_that_leaves_sees_no_traceback(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    toy = begun(tmp_path, environment)
    shutil.copytree(TOY, toy, dirs_exist_ok=True)
    run = recipe()[1].strip() + " --clause IDEM-3"
    done = shell(run, toy, environment)
    passed = re.fullmatch(r"(\d+) passed, 0 failed", done.stdout.splitlines()[-1])
    assert passed is not None, done.stdout[-2_000:] + done.stderr
    assert 5 <= int(passed[1]) < 60
    left = shell(f"set +o pipefail; {run} | head -1", toy, environment)
    assert (left.returncode, left.stderr) == (0, "")
    assert len(left.stdout.splitlines()) == 1
