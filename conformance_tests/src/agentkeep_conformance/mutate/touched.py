"""Which parts of a package each test runs: a test can kill no mutant of another part.

In Python a part is a block: the body of a function, of a branch, of a loop or of a handler. The measured copy of the
package says so itself: each block begins with a line that says its name. A debugger's hook would see the same, and
makes the whole suite twice as slow. Of SQL and Lua the copy says which names Python said, see `parts.py`.
Each process that imports the copy writes what it touches into one file.
"""

from __future__ import annotations

import ast
import importlib
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from agentkeep_conformance.mutate.parts import NamedParts

FILE = "AGENTKEEP_MUTATE_TOUCHED"
"""The environment's variable with the file's path."""
NAMED = "named "
"""What is said of a name of SQL or Lua begins so."""
_TELLS = "agentkeep_touched"
"""The module beside the copy with what its modules call."""
_TELLING = """
import os

said = set()
file = os.open(os.environ[FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def touched(part):
    if part not in said:
        said.add(part)
        os.write(file, f"{part}\\n".encode())


def named(text):
    if text in NAMES:
        touched(NAMED + text)
    return text
"""
_TOUCHED, _NAMED = f"_{_TELLS}_touched", f"_{_TELLS}_named"
"""How the copy's modules call that module's two functions: no name that a package has of its own."""
_ADD = ast.parse(f"from {_TELLS} import named as {_NAMED}, touched as {_TOUCHED}").body

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
    """Change each module of a copied package, and put beside it what they call."""
    names = NamedParts(folder).names
    (folder.parent / f"{_TELLS}.py").write_text(
        f"FILE, NAMED, NAMES = {FILE!r}, {NAMED!r}, {set(names)!r}\n{_TELLING}", encoding="utf-8"
    )
    for file in folder.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        path = file.relative_to(folder).as_posix()
        for body in list(_bodies(tree)):
            first = 1 if _is_text(body[0]) else 0
            body[first:first] = ast.parse(f"{_TOUCHED}({f'{path}:{body[0].lineno}'!r})").body
        tree = _Naming(names).visit(tree)
        first = _head_of(tree.body)
        tree.body[first:first] = _ADD
        file.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")


class _Naming(ast.NodeTransformer):
    """Puts each text that is or may be a name into a call that says it.

    What a module says when it is imported is said for all tests, and so is what a function says whose result is kept.
    But a key of a module's dict says nothing: whoever looks it up says its name.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._in_function = False
        self._kept: set[str] = set()

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self.generic_visit(node)
        node.body += [ast.Expr(_said(ast.Constant(name))) for name in sorted(self._kept)]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if any("cache" in ast.unparse(decorator) for decorator in node.decorator_list):
            texts = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
            self._kept |= {text for text in texts if isinstance(text, str) and text in self._names}
            return node
        node.args = self.visit(node.args)
        with self._function_body():
            node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        with self._function_body():
            node.body = self.visit(node.body)
        return node

    @contextmanager
    def _function_body(self) -> Generator[None]:
        outside, self._in_function = self._in_function, True
        yield
        self._in_function = outside

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if _is_text(node) or _is_touch(node) else self.generic_visit(node)

    def visit_Match(self, node: ast.Match) -> ast.AST:
        """The patterns stay: they are compared, and say nothing."""
        node.subject = self.visit(node.subject)
        for case in node.cases:
            case.body = [self.visit(statement) for statement in case.body]
        return node

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        if self._in_function:
            return self.generic_visit(node)
        node.values = [self.visit(value) for value in node.values]
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                part.value = self.visit(part.value)
        return _said(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return _said(node) if isinstance(node.value, str) and node.value in self._names else node


def _said(node: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(_NAMED, ast.Load()), [node], [])


def _is_touch(node: ast.Expr) -> bool:
    return isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == _TOUCHED


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
    """In the process that runs the tests: what they touched, in it and in the processes that they started."""

    def __init__(self) -> None:
        self._told: Any = importlib.import_module(_TELLS)
        self._file = Path(os.environ[FILE])
        self._read_to = 0
        self._at_import = set[str]()

    def imported(self) -> None:
        """What ran before the first test made something for all of them."""
        self._at_import = self._new()

    def since_last(self) -> list[str]:
        return sorted(self._new() | self._at_import)

    def _new(self) -> set[str]:
        self._told.said.clear()
        with self._file.open(encoding="utf-8") as file:
            file.seek(self._read_to)
            found = set(file.read().splitlines())
            self._read_to = file.tell()
        return found
