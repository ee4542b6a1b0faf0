"""A mutant: one file of a package with one change."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agentkeep_conformance.mutate import python_rules, text_rules
from agentkeep_conformance.mutate.changes import Change
from agentkeep_conformance.mutate.parts import NamedParts
from agentkeep_conformance.mutate.touched import NAMED, block_at


@dataclass(frozen=True)
class Mutant:
    """A change of a file; `path` is below the package's folder."""

    path: str
    source: str
    change: Change
    names: frozenset[str] | None = None
    """The names of SQL or Lua with which it runs; None if it is Python, or may run in any case."""

    @property
    def text(self) -> str:
        """The file as the mutant has it."""
        return self.source[: self.change.start] + self.change.text + self.source[self.change.end :]

    @property
    def line(self) -> int:
        return self.source.count("\n", 0, self.change.start) + 1

    @cached_property
    def runs_with(self) -> frozenset[str] | None:
        """If a test touches none of these, it can't see the change. None: any test may see it."""
        if self.names is not None:
            return frozenset(NAMED + name for name in self.names)
        if not self.change.in_function:
            return None
        before = self.source[: self.change.start].rpartition("\n")[2]
        return frozenset({f"{self.path}:{block_at(self.source, (self.line, len(before.encode())))}"})

    @property
    def name(self) -> str:
        """Says what is changed, and stays the same if lines are added elsewhere."""
        changed = [line for line in self._diff()[2:] if line[:1] in "+-"]
        before = " ".join(line[1:].strip() for line in changed if line.startswith("-"))
        after = " ".join(line[1:].strip() for line in changed if line.startswith("+"))
        return f"{self.path} {self.change.where} [{self.change.rule}] {before} => {after}"

    @property
    def diff(self) -> str:
        return "\n".join(self._diff())

    def _diff(self) -> list[str]:
        lines = (self.source.splitlines(), self.text.splitlines())
        return list(difflib.unified_diff(*lines, self.path, self.change.rule, lineterm="", n=0))


def mutants_of(folder: Path, files: list[str], without: list[str]) -> list[Mutant]:
    """All mutants of a package, in the order of its files. `files` and `without`: parts of paths, to choose by."""
    found: list[Mutant] = []
    parts = NamedParts(folder)
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder).as_posix()
        chosen = not files or any(part in path for part in files)
        if chosen and not any(part in path for part in without):
            for source, change in _changes(file):
                names = None if file.suffix == ".py" else parts.names_that_run(path, change.start)
                found.append(Mutant(path, source, change, names))
    return found


def _changes(file: Path) -> Iterator[tuple[str, Change]]:
    rules = {".py": python_rules.changes_of, ".sql": text_rules.changes_of_sql, ".lua": text_rules.changes_of_lua}
    if file.suffix in rules:
        source = file.read_text(encoding="utf-8")
        for change in rules[file.suffix](source):
            yield source, change
