"""Which functions of a package each test runs: a test can kill no mutant of another function.

The copy of the package that is measured says so itself: each function begins with a line that adds its name to a set.
A debugger's hook would see the same, and makes the whole suite twice as slow.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import cast

EVERYTHING = "everything"
"""Stands among what a test touches if another process did some of it, which is not seen."""
_ADD = ast.parse(f"import sys as _sys\n_touched = _sys.__dict__.setdefault({__name__!r}, set())").body


def instrument(folder: Path) -> None:
    """Change each module of a copied package."""
    for file in folder.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        _Adding(file.relative_to(folder).as_posix()).visit(tree)
        first = _head_of(tree.body)
        tree.body[first:first] = _ADD
        file.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")


def _head_of(body: list[ast.stmt]) -> int:
    """How many statements must stay first: the docstring, and imports from the future."""
    count = 0
    while count < len(body) and (
        (isinstance(body[count], ast.Expr) and count == 0)
        or (isinstance(body[count], ast.ImportFrom) and cast("ast.ImportFrom", body[count]).module == "__future__")
    ):
        count += 1
    return count


class _Adding(ast.NodeTransformer):
    def __init__(self, path: str) -> None:
        self._path = path
        self._names: list[str] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._named(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._named(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._named(node)

    def _named(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.AST:
        self._names.append(node.name)
        self.generic_visit(node)
        if not isinstance(node, ast.ClassDef):
            name = f"{self._path} {'.'.join(self._names)}"
            first = 1 if ast.get_docstring(node) is not None else 0
            node.body[first:first] = ast.parse(f"_touched.add({name!r})").body
        self._names.pop()
        return node


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
        if event in ("subprocess.Popen", "os.fork", "os.posix_spawn"):
            self._found.add(EVERYTHING)
