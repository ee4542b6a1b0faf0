"""The named statements of `sql/*.sql` and the steps of `migrations/*.sql`, with the names of the tables filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

_PACKAGE = "agentkeep_postgres"
_NAME = "-- name: "
_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")
_PLANNED_EACH_TIME = frozenset({"wanted_labels", "patterns"})
_FRAGMENTS = ("session_columns", "message_columns")
"""Parts that several statements use, as {session_columns}."""


class Names(NamedTuple):
    """The schema and prefix of the tables. Both were validated by `agentkeep.spi.options.as_prefix`."""

    schema: str | None
    prefix: str

    @property
    def qualified(self) -> str:
        return self.prefix if self.schema is None else f'"{self.schema}".{self.prefix}'


class Statement(NamedTuple):
    """Text with $1, $2, … and the names of their values."""

    text: str
    parameters: tuple[str, ...]

    @property
    def is_planned_each_time(self) -> bool:
        """Whether the right plan depends on how common a value is. A plan for all values can't know that."""
        return not _PLANNED_EACH_TIME.isdisjoint(self.parameters)

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        return [values[name] for name in self.parameters]


class Statements:
    """All statements of one set of tables."""

    def __init__(self, names: Names) -> None:
        self.names = names
        blocks: dict[str, str] = {}
        for file in _sql_files("sql"):
            _, *found = file.split(_NAME)
            for block in found:
                name, _, text = block.partition("\n")
                blocks[name] = _without_comments(text).strip()
        for fragment in _FRAGMENTS:
            blocks = {name: text.replace(f"{{{fragment}}}", blocks[fragment]) for name, text in blocks.items()}
        self._blocks = {name: filled(text, names) for name, text in blocks.items()}
        self.joined = lru_cache(maxsize=512)(self._joined)

    def __getitem__(self, name: str) -> Statement:
        return self.joined(name)

    def _joined(self, *parts: str) -> Statement:
        """One statement made of several parts, in this order."""
        parameters: dict[str, int] = {}

        def number(match: re.Match[str]) -> str:
            return f"${parameters.setdefault(match[1], len(parameters) + 1)}"

        text = _PARAMETER.sub(number, "\n".join(self._blocks[part] for part in parts))
        return Statement(text, tuple(parameters))


@cache
def load_statements(names: Names) -> Statements:
    return Statements(names)


@cache
def load_migrations(names: Names) -> tuple[str, ...]:
    """The steps in order, each a script; the first makes version 1."""
    return tuple(filled(text, names) for text in _sql_files("migrations"))


def filled(text: str, names: Names) -> str:
    text = text.replace("{prefix}", names.qualified).replace("{bare}", names.prefix)
    return text.replace("{schema}", f'"{names.schema}"')


def _sql_files(folder: str) -> list[str]:
    found = [file for file in files(_PACKAGE).joinpath(folder).iterdir() if file.name.endswith(".sql")]
    return [file.read_text("utf-8") for file in sorted(found, key=lambda file: file.name)]


def _without_comments(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("--"))
