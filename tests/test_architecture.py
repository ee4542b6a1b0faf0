"""The paths that ARCHITECTURE.md draws are those of the code: each file has what is named, and calls what is below."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "ARCHITECTURE.md").read_text()
STEP = re.compile(r"^    ( *)([\w/.]+\.(?:py|lua|sql)) +([\w., ]+?)(?:  +.*)?$", re.MULTILINE)
PACKAGES = {
    page.parent.name: next(page.parent.glob("src/agentkeep_*")) for page in ROOT.glob("adapters/[a-z]*/pyproject.toml")
}


class Step(NamedTuple):
    depth: int
    file: Path
    names: list[str]
    """`Client.write` counts as two."""


def drawn(section: str, package: Path) -> list[list[Step]]:
    """The paths under a heading, each as its lines."""
    text = re.split(r"^##", PAGE.partition(f"\n{section}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    blocks = [STEP.findall(block) for block in text.split("\n\n")]
    return [
        [Step(len(indent), package / file, re.split(r"[., ]+", names)) for indent, file, names in block]
        for block in blocks
        if block
    ]


PATHS = [
    pytest.param(path, id=f"{name}-{number}")
    for name, package in PACKAGES.items()
    for number, path in enumerate(drawn(f"### {name}", package))
]


@pytest.mark.parametrize("name", PACKAGES)
def test_an_append_a_listing_and_a_watch_are_drawn(name: str) -> None:
    assert len(drawn(f"### {name}", PACKAGES[name])) >= 3


@pytest.mark.parametrize("path", [*PATHS, *drawn("## The way of a call", ROOT / "core/src/agentkeep")])
def test_each_file_has_what_is_drawn(path: list[Step]) -> None:
    for step in path:
        text = step.file.read_text()
        if step.names != ["the", "script"]:
            assert [name for name in step.names if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("path", PATHS)
def test_what_is_drawn_below_is_called_above(path: list[Step]) -> None:
    callers: list[Step] = []
    for step in path:
        callers = [caller for caller in callers if caller.depth < step.depth]
        if callers and step.file.suffix == ".py":
            above = callers[-1].file.read_text()
            assert any(re.search(rf"\b{name}\b", above) for name in step.names), f"{callers[-1]} does not call {step}"
        callers.append(step)


def test_every_file_of_the_table_is_a_room() -> None:
    rooms = set(re.findall(r"^\| `(\w+)\.py`", PAGE, flags=re.MULTILINE))
    used = {path.stem for package in PACKAGES.values() for path in package.glob("*.py")}
    assert rooms <= used
