"""The parts of SQL and Lua files, and which of them run if Python names one.

A part is a named statement, or a function. It runs only if its name was said: by Python, or by another part that runs.
A word that is the same as a name counts as the name, so a part may be taken for one that runs, and never the opposite.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEADS = {
    ".sql": re.compile(r"^-- name: (\w+)|^CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) ([\w{}.]+)", re.MULTILINE),
    ".lua": re.compile(r"^(?:local )?function ([\w.]+)|^(?:local )?([\w.]+) = function", re.MULTILINE),
}
_ENDS = {".sql": re.compile(r"^\$\$.*$", re.MULTILINE), ".lua": re.compile(r"^end\b", re.MULTILINE)}
_COMMENT = re.compile(r"--[^\n]*")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Part:
    name: str
    start: int
    end: int


class NamedParts:
    """Those of one package."""

    def __init__(self, folder: Path) -> None:
        self._parts: dict[str, list[Part]] = {}
        self._words: dict[str, set[str]] = {}
        self._always: set[str] = set()
        for file in sorted(folder.rglob("*")):
            if file.suffix in _HEADS:
                self._read(file, file.relative_to(folder).as_posix())

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._words)

    def names_that_run(self, path: str, at: int) -> frozenset[str] | None:
        """If none of these names is said, what stands there does not run. None: it may run in any case."""
        name = next((part.name for part in self._parts[path] if part.start <= at < part.end), None)
        if name is None:
            return None
        found = {name}
        while more := {other for other, words in self._words.items() if words & found} - found:
            found |= more
        return None if found & self._always else frozenset(found)

    def _read(self, file: Path, path: str) -> None:
        text = file.read_text(encoding="utf-8")
        parts = self._parts[path] = list(_parts_of(text, file.suffix))
        rest = text
        for part in reversed(parts):
            self._words.setdefault(part.name, set()).update(_words(text[part.start : part.end]))
            rest = rest[: part.start] + rest[part.end :]
        if file.suffix == ".lua":  # a script is named like its file
            parts.append(Part(file.stem, 0, len(text)))
            self._words.setdefault(file.stem, set()).update(_words(rest))
        else:
            self._always |= _words(rest)


def _parts_of(text: str, suffix: str) -> Iterator[Part]:
    heads = list(_HEADS[suffix].finditer(text))
    bounds = [*(head.start() for head in heads), len(text)]
    for head, bound in zip(heads, bounds[1:], strict=True):
        end = bound if head[0].startswith("-- name") else _end_of(text, suffix, head.end(), bound)
        yield Part(_WORD.findall(head[1] or head[2])[-1], head.start(), end)


def _end_of(text: str, suffix: str, start: int, bound: int) -> int:
    found = _ENDS[suffix].search(text, start, bound)
    return found.end() if found else bound


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_COMMENT.sub("", text)))
