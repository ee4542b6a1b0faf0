"""The README says what is true: its program runs and prints what it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agentkeep_conformance.rendering import merged
from agentkeep_conformance.summary import as_summary, in_readme

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def code_blocks(heading: str) -> list[tuple[str, str]]:
    """The (language, text) of each code block under a heading."""
    section = re.split(r"^## ", README.split(f"\n## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^```(\w*)\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)


def test_the_program_for_users_prints_what_the_readme_says(tmp_path: Path) -> None:
    (program,) = [text for language, text in code_blocks("Use it") if language == "python"]
    said = re.search(r"It prints `(.+?)`", README)
    assert said
    first, second = (
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert first == said[1] + "\n"
    assert second.splitlines() == [said[1], said[1].replace("1", "2", 1)]


def test_the_agent_prints_what_the_readme_says(tmp_path: Path) -> None:
    (program,) = [text for language, text in code_blocks("Write an agent") if language == "python"]
    said = re.search(r"It prints `(You .+?)`, and `(.+?)` the next time", README)
    assert said
    first, second = (
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert first == said[1] + "\n"
    assert second.startswith(said[2])


def test_the_set_up_commands_are_one_line_each() -> None:
    for heading in ("Try it", "Test it"):
        language, text = code_blocks(heading)[0]
        assert (language, text.count("\n")) == ("sh", 1)


def test_every_command_of_the_table_exists() -> None:
    agentkeep = ROOT / ".venv" / "bin" / "agentkeep"
    shown = subprocess.run([agentkeep, "--help"], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^\| (`agentkeep .*?) \|", README, flags=re.MULTILINE)
    named = {word.removeprefix("agentkeep ").split()[0] for row in rows for word in re.findall(r"`(.+?)`", row)}
    assert len(named) >= 12
    assert {name for name in named if f" {name} " not in shown} == set()


def test_links_point_at_files() -> None:
    for page in ROOT.glob("*.md"):
        targets = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        assert [target for target in targets if not (ROOT / target).exists()] == []


def evidence() -> dict[str, Any]:
    return merged([json.loads(file.read_text()) for file in sorted((ROOT / "docs/evidence").glob("*.json"))])


@pytest.mark.parametrize("page", ["README.md", "docs/evidence/README.md"])
def test_the_table_is_what_the_evidence_says(page: str) -> None:
    text = (ROOT / page).read_text()  # python3 dev.py evidence renews it, without a server
    assert in_readme(text, evidence()) == text
    assert text.count("<!-- /matrix -->") == 1


def test_every_run_stands_in_the_table_of_all() -> None:
    assert as_summary(evidence()) in (ROOT / "docs/evidence/README.md").read_text()


@pytest.mark.parametrize("file", sorted((ROOT / "docs/evidence").glob("*.json")), ids=lambda file: file.stem)
def test_the_evidence_is_a_short_summary_in_which_nothing_failed(file: Path) -> None:
    """It may be older than the suite: the table says so, and a new test needs no server to be merged."""
    runs = json.loads(file.read_text())["adapters"]
    assert {outcome for run in runs.values() for outcome in run["counts"]} <= {"proved", "n/a"}
    assert "seconds" not in file.read_text()
    assert file.stat().st_size <= 4_000 * len(runs)
