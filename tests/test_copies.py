"""What two adapters need is written once, in `agentkeep.spi`: no run of six equal lines stands in two of them."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
ADAPTERS = sorted(page.parent for page in ROOT.glob("adapters/[a-z]*/pyproject.toml"))
RUN = 6
ALLOWED: dict[str, str] = {}
"""The first line of a run, and why it may stand twice."""


class Line(NamedTuple):
    path: Path
    number: int
    text: str


def lines_of(path: Path) -> list[Line]:
    """What a person wrote here and could have written once: no blank lines, comments and docstrings; no imports and no
    signatures either, because the protocol says what a verb takes."""
    text = path.read_text()
    skipped = frozenset(_of_python(text) if path.suffix == ".py" else ())
    mark = {".py": "#", ".sql": "--", ".lua": "--"}[path.suffix]
    return [
        Line(path.relative_to(ROOT), number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if number not in skipped and line.strip() not in ("", "...") and not line.strip().startswith(mark)
    ]


def _of_python(text: str) -> Iterator[int]:
    """The numbers of the lines that are imports, signatures or strings that stand alone."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from range(node.lineno, node.body[0].lineno)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


def runs_of(adapter: Path) -> dict[tuple[str, ...], Line]:
    """Each run of six lines, and where it begins."""
    runs: dict[tuple[str, ...], Line] = {}
    for path in sorted(adapter.rglob("*")):
        if path.suffix in (".py", ".sql", ".lua") and not {".venv", "corpus"} & set(path.parts):
            lines = lines_of(path)
            for start in range(len(lines) - RUN + 1):
                run = lines[start : start + RUN]
                runs[tuple(line.text for line in run)] = run[0]
    return runs


RUNS = {adapter.name: runs_of(adapter) for adapter in ADAPTERS}


@pytest.mark.parametrize(("one", "other"), list(combinations(RUNS, 2)))
def test_no_two_adapters_say_the_same_in_six_lines(one: str, other: str) -> None:
    found: dict[tuple[Path, Path], list[str]] = defaultdict(list)
    for run in RUNS[one].keys() & RUNS[other].keys():
        if not ALLOWED.keys() & set(run):
            first, second = RUNS[one][run], RUNS[other][run]
            found[first.path, second.path].append(f"{first.path}:{first.number} ~ {second.path}:{second.number}")
    assert sorted(place for places in found.values() for place in places) == []


def test_each_exception_is_needed() -> None:
    shared = [run for a, b in combinations(RUNS.values(), 2) for run in a.keys() & b.keys()]
    assert [line for line in ALLOWED if not any(line in run for run in shared)] == []
