"""The planted faults: one file each, an enrolment that lies about one thing and is right in all else.

A file says in its docstring which lie it tells and who told it first, and names `FAMILY`, the family that must see it,
and `CLAUSE`, what it breaks. `OPENING = True`: the lie is about opening, so that nearly every test may fail.
`HANGS = True`: a test that never ends is how this lie shows.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentkeep_conformance.clauses import CLAUSES


class Unsound(Exception):
    """The self-test can't be run as it stands."""


@dataclass(frozen=True)
class Planted:
    """A file with an enrolment; without a family it is one of the adapters that the faults stand on."""

    name: str
    file: Path
    lie: str
    family: str = ""
    clause: str = ""
    opening: bool = False
    hangs: bool = False
    distant: bool = False
    """It stands on a file or a server, where every test takes longer than in memory."""


def read_faults(folder: Path) -> list[Planted]:
    """The faults of a folder, by name. Nothing is imported: an import may already lie. Raises `Unsound`."""
    return [_fault(file) for file in _files(folder)]


def read_unfaulted(folder: Path) -> list[Planted]:
    """The enrolments that must pass every test. Raises `Unsound`."""
    return [
        Planted(file.stem, file, _lie(file, ast.parse(file.read_text(encoding="utf-8")))) for file in _files(folder)
    ]


def _files(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.glob("*.py") if not file.stem.startswith("_"))
    if not files:
        raise Unsound(f"no enrolments in {folder}: the planted faults are part of the repository, not of the wheel")
    return files


def _fault(file: Path) -> Planted:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    said = _constants(tree)
    family, clause = said.get("FAMILY", ""), said.get("CLAUSE", "")
    if not family or clause not in CLAUSES:
        raise Unsound(f"{file.name} must name a FAMILY and a CLAUSE of the contract, not {family!r} and {clause!r}")
    return Planted(
        file.stem,
        file,
        _lie(file, tree),
        family,
        clause,
        opening=said.get("OPENING", False),
        hangs=said.get("HANGS", False),
        distant=any(isinstance(node, ast.ImportFrom) and (node.module or "").startswith("over_") for node in tree.body),
    )


def _lie(file: Path, tree: ast.Module) -> str:
    lie = (ast.get_docstring(tree) or "").partition("\n\n")[0]
    if not lie:
        raise Unsound(f"{file.name} does not say what it is")
    return " ".join(lie.split())


def _constants(tree: ast.Module) -> dict[str, Any]:
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
