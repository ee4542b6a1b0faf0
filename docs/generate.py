"""What the pages take from the code. It is put in when the site is built, so that it is never older than the code.

A generated part stands between `<!-- generated NAME -->` and `<!-- /generated -->`.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentkeep.config import json_schema
from agentkeep_conformance.clauses import CLAUSES
from agentkeep_conformance.rendering import merged
from agentkeep_conformance.summary import as_summary

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs"
FAMILIES = ROOT / "conformance_tests/src/agentkeep_conformance/families"
_PART = re.compile(r"(<!-- generated (\w+) -->\n).*?(<!-- /generated -->)", re.DOTALL)
_SHOWN = ("memory", "sqlite", "postgres", "redis", "rediscluster", "mongo", "opensearch")
_YES_NO = {True: "yes", False: "no"}


def adapters() -> str:
    """What each adapter declares, and what the suite's last kept run saw."""
    runs = merged([json.loads(file.read_text()) for file in sorted((PAGES / "evidence").glob("*.json"))])
    shown = [name for name in _SHOWN if name in runs["adapters"]]
    declared = {name: runs["adapters"][name]["declared"] for name in shown}
    rows = [f"| | {' | '.join(shown)} |", f"|---|{'---|' * len(shown)}"]
    for field in next(iter(declared.values())):
        rows.append(f"| `{field}` | {' | '.join(_cell(declared[name].get(field)) for name in shown)} |")
    return "\n".join([*rows, "", as_summary(runs, shown)])


def _cell(value: Any) -> str:
    return _YES_NO[value] if isinstance(value, bool) else f"{value:,}" if isinstance(value, int) else str(value)


def configuration() -> str:
    """Every key of the configuration file, with its variable and default."""
    parts = json_schema()["$defs"]
    rows = ["| key | environment | default | what it is |", "|---|---|---|---|"]
    for section, kind in (("", "Settings"), ("manager", "Manager"), ("retention", "Retention")):
        for name, field in parts[kind]["properties"].items():
            if not section and name in ("manager", "retention"):
                continue
            key = f"{section}.{name}" if section else name
            variable = f"AGENTKEEP_{key.replace('.', '__').upper()}" + ("__NAME" if name == "options" else "")
            default = json.dumps(field["default"]) if field.get("default") is not None else ""
            shown = f"`{default}`" if default else ""
            rows.append(f"| `{key}` | `{variable}` | {shown} | {field.get('description', '')} |")
    return "\n".join(rows)


def contract() -> str:
    """Each clause, and the tests of the suite that prove it."""
    tests = _tests()
    parts: list[str] = []
    for name, text in CLAUSES.items():
        links = [f"[{test}](../{file}#L{line})" for test, file, line in tests.get(name, [])]
        parts.append(f"## {name}\n\n{text}\n\n{len(links)} tests: {', '.join(links)}")
    return "\n\n".join(parts)


def _tests() -> dict[str, list[tuple[str, str, int]]]:
    """Of each clause: the tests' names, files and lines, read from the decorators `@proves(...)`."""
    found: dict[str, list[tuple[str, str, int]]] = {}
    for file in sorted(FAMILIES.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "proves":
                    for clause in decorator.args:
                        place = (node.name, str(file.relative_to(ROOT)), node.lineno)
                        found.setdefault(str(ast.literal_eval(clause)), []).append(place)
    return found


PARTS: dict[str, Callable[[], str]] = {"adapters": adapters, "configuration": configuration, "contract": contract}


def filled(page: str) -> str:
    """A page with its generated parts."""
    return _PART.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}\n{found[3]}", page)
