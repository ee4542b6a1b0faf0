"""The rules by which Python is changed. Each is a slip that developers make: a bound, a forgotten step."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from agentkeep_conformance.mutate.changes import Change

_COMPARED: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
_CALCULATED: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
}
_TWINS = [("min", "max"), ("any", "all"), ("nlargest", "nsmallest"), ("bisect_left", "bisect_right")]
_NAMES = dict(_TWINS) | {second: first for first, second in _TWINS}
_LOGGERS = {"logger", "_logger", "LOGGER", "_LOGGER", "log", "_log"}


def changes_of(source: str) -> Iterator[Change]:
    """What the rules make of a module, in the order of its lines."""
    rules = _Rules(source)
    rules.visit(ast.parse(source))
    return iter(sorted(rules.found, key=lambda change: (change.start, change.end, change.text)))


class _Rules(ast.NodeVisitor):
    """Leaves alone what is no behaviour: types, decorators, texts of errors, what is logged, `__repr__`."""

    def __init__(self, source: str) -> None:
        self.found: list[Change] = []
        self._source = source
        self._line_starts = [0]
        for line in source.splitlines(keepends=True):
            self._line_starts.append(self._line_starts[-1] + len(line))
        self._lines = source.splitlines()
        self._names: list[str] = []
        self._in_function = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if node.name in ("__repr__", "__str__"):
            return
        self._names.append(node.name)
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        self._in_function += 1
        self._block(node.body)
        self._in_function -= 1
        self._names.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._names.append(node.name)
        self._block(node.body)
        self._names.pop()

    def _block(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._forget(node, node.target)
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not (isinstance(node.targets[0], ast.Name) and node.targets[0].id.startswith("__")):
            self._forget(node, node.targets[0])
            self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._drop(node)
        if isinstance(node.op, ast.Add | ast.Sub):
            signs = ("+=", "-=") if isinstance(node.op, ast.Add) else ("-=", "+=")
            self._between(node.target, node.value, *signs, "calculate")
        self.visit(node.value)

    def _forget(self, node: ast.stmt, target: ast.expr) -> None:
        if isinstance(target, ast.Attribute | ast.Subscript):
            self._drop(node)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._drop(node)

    def visit_Break(self, node: ast.Break) -> None:
        self._drop(node)

    def visit_Continue(self, node: ast.Continue) -> None:
        self._drop(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._drop(node)
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._drop(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        """It says what is so, and does nothing."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """A text for somebody to read, or a key; its parts are no decisions."""

    def visit_Expr(self, node: ast.Expr) -> None:
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call) and _root(call.func) not in _LOGGERS:
            self._drop(node)
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if _root(node.test) == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        if not isinstance(node.test, ast.Constant):  # `while True` ends by what stands in it
            self.visit(node.test)
        self._block([*node.body, *node.orelse])

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._replace(node, f"({self._text(node.body)})", "always")
        self._replace(node, f"({self._text(node.orelse)})", "never")
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        """A condition that no other rule changes."""
        if isinstance(test, ast.Name | ast.Attribute | ast.Call | ast.NamedExpr | ast.Await):
            self._replace(test, f"not ({self._text(test)})", "condition")

    def visit_Compare(self, node: ast.Compare) -> None:
        if len(node.ops) == 1:
            before, after = _COMPARED[type(node.ops[0])]
            self._between(node.left, node.comparators[0], before, after, "compare")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in _CALCULATED:
            self._between(node.left, node.right, *_CALCULATED[type(node.op)], "calculate")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        word = "and" if isinstance(node.op, ast.And) else "or"
        for left_out in node.values:
            others = [f"({self._text(value)})" for value in node.values if value is not left_out]
            self._replace(node, f"({f' {word} '.join(others)})" if others[1:] else others[0], "operand")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            self._replace(node, f"({self._text(node.operand)})", "not" if isinstance(node.op, ast.Not) else "minus")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._replace(node, str(not node.value), "boolean")
        elif isinstance(node.value, int):
            self._replace(node, str(node.value + 1), "number")

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in _NAMES:
            self._replace(node.func, _NAMES[node.func.id], "twin")
        for keyword in node.keywords:
            if keyword.arg is not None and not isinstance(keyword.value, ast.JoinedStr):
                self._leave_out(keyword)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._replace(test, "True", "filter")
        self.generic_visit(node)

    def visit_Slice(self, node: ast.Slice) -> None:
        for bound in (node.lower, node.upper, node.step):
            if bound is not None and not isinstance(bound, ast.Constant):
                self._replace(bound, "None", "slice")
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not (isinstance(node.value, ast.Name) and node.value.id[:1].isupper()):  # a type such as Literal[…]
            self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        self._without(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:
        self._without(node)

    def _without(self, node: ast.With | ast.AsyncWith) -> None:
        """A lock that is not taken, a transaction that is not begun."""
        if len(node.items) == 1 and node.items[0].optional_vars is None:
            start, end = self._at(node.lineno, node.col_offset), self._span(node.items[0].context_expr)[1]
            self._add(start, end, "if True", "with")
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        start, end = self._span(node.body[0])[0], self._span(node.body[-1])[1]
        if not isinstance(node.body[0], ast.Raise):
            self._add(start, end, "raise", "except")
        self._block(node.body)

    def _drop(self, node: ast.stmt) -> None:
        self._replace(node, "pass", "statement")

    def _leave_out(self, keyword: ast.keyword) -> None:
        start, end = self._span(keyword)
        rest = self._source[end:]
        after = len(rest) - len(rest.lstrip(", \n"))
        self._add(start, end + after if "," in rest[:after] else end, "", "keyword")

    def _between(self, left: ast.AST, right: ast.AST, before: str, after: str, rule: str) -> None:
        start, end = self._span(left)[1], self._span(right)[0]
        at = self._source.index(before, start, end)
        self._add(at, at + len(before), after, rule)

    def _replace(self, node: ast.AST, text: str, rule: str) -> None:
        self._add(*self._span(node), text, rule)

    def _add(self, start: int, end: int, text: str, rule: str) -> None:
        where = ".".join(self._names) or "module"
        changed = self._source[:start] + text + self._source[end:]
        try:
            compile(changed, "mutant", "exec", dont_inherit=True)
        except SyntaxError:
            return
        self.found.append(Change(start, end, text, rule, where, in_function=self._in_function > 0))

    def _text(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self._source[start:end]

    def _span(self, node: ast.AST) -> tuple[int, int]:
        at: ast.expr = node  # type: ignore[assignment]
        return self._at(at.lineno, at.col_offset), self._at(at.end_lineno or 0, at.end_col_offset or 0)

    def _at(self, line: int, byte: int) -> int:
        """The character's number in the text: the tree counts bytes of a line."""
        return self._line_starts[line - 1] + len(self._lines[line - 1].encode()[:byte].decode())


def _root(node: ast.expr) -> str:
    """`a` of `a.b.c`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
