"""Which blocks of a package each test runs: a test can kill no mutant of another block.

A block is the body of a function, of a branch, of a loop or of a handler. The copy of the package that is measured
says so itself: each block begins with a line that adds its name to a set. A debugger's hook would see the same, and
makes the whole suite twice as slow.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import cast

EVERYTHING = "everything"
"""Stands among what a test touches if another process did some of it, which is not seen."""
_ADD = ast.parse(f"import sys as _sys\n_touched = _sys.__dict__.setdefault({__name__!r}, set())").body
_STARTS = ("subprocess.Popen", "os.fork", "os.posix_spawn", "agentkeep_conformance.fork")
"""Python's audit events of a new process, and the suite's own of a child that its server forks."""

Position = tuple[int, int]


def block_at(source: str, position: Position) -> int:
    """The line with which the smallest block around a line and byte begins; 0 if they stand in none."""
    around = [(start, end) for start, end in _blocks_of(source) if start <= position <= end]
    return max(around, default=((0, 0), (0, 0)))[0][0]


@lru_cache(maxsize=16)
def _blocks_of(source: str) -> list[tuple[Position, Position]]:
    return [(_start(body), _end(body)) for body in _bodies(ast.parse(source))]


def _bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """The blocks in it, but what runs with the module: its body, and those of classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            continue
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if body and isinstance(body, list):
                yield cast("list[ast.stmt]", body)


def _start(body: list[ast.stmt]) -> Position:
    return body[0].lineno, body[0].col_offset


def _end(body: list[ast.stmt]) -> Position:
    return body[-1].end_lineno or 0, body[-1].end_col_offset or 0


def instrument(folder: Path) -> None:
    """Change each module of a copied package."""
    for file in folder.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        path = file.relative_to(folder).as_posix()
        for body in list(_bodies(tree)):
            first = 1 if _is_text(body[0]) else 0
            body[first:first] = ast.parse(f"_touched.add({f'{path}:{body[0].lineno}'!r})").body
        first = _head_of(tree.body)
        tree.body[first:first] = _ADD
        file.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")


def _is_text(statement: ast.stmt) -> bool:
    """A docstring must stay first."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _head_of(body: list[ast.stmt]) -> int:
    """How many statements must stay first: the docstring, and imports from the future."""
    count = 0
    while count < len(body) and (
        (isinstance(body[count], ast.Expr) and count == 0)
        or (isinstance(body[count], ast.ImportFrom) and cast("ast.ImportFrom", body[count]).module == "__future__")
    ):
        count += 1
    return count


class Touched:
    """In the process that runs the tests: what they touched."""

    def __init__(self) -> None:
        self._found: set[str] = sys.__dict__.setdefault(__name__, set[str]())
        self._at_import = set[str]()
        sys.addaudithook(self._audit)

    def imported(self) -> None:
        """What ran before the first test made something for all of them."""
        self._at_import = set(self._found)
        self._found.clear()

    def since_last(self) -> list[str]:
        found = sorted(self._found | self._at_import)
        self._found.clear()
        return found

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in _STARTS:
            self._found.add(EVERYTHING)
