"""The named statements of `sql/*.sql` and the steps of `migrations/`, with the names of the tables filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from agentkeep.spi.sqlfiles import load_scripts
from agentkeep.spi.sqlfiles import load_statements as load_texts

_PACKAGE = "agentkeep_postgres"
_PARAMETER = re.compile(r"(?<!:):([a-z_][a-z_0-9]*)")
_PLANNED_EACH_TIME = frozenset({"patterns"})
_VERSIONS = ("0001",)
"""A folder of `migrations/` for each version of the schema; its files, in order, are one step."""


class Names(NamedTuple):
    """The schema and prefix of the tables. Both were validated by `agentkeep.spi.options.as_prefix`."""

    schema: str | None
    prefix: str

    @property
    def identifiers(self) -> dict[str, str]:
        """What stands in braces in the files."""
        return {"prefix": self.qualified, "bare": self.prefix, "schema": f'"{self.schema or ""}"'}

    @property
    def qualified(self) -> str:
        return self.prefix if self.schema is None else f'"{self.schema}".{self.prefix}'


class Statement(NamedTuple):
    """Text with $1, $2, … and the names of their values."""

    text: str
    parameters: tuple[str, ...]

    @property
    def is_planned_each_time(self) -> bool:
        """Whether the right plan depends on how common a word is. A plan for all values can't know that."""
        return not _PLANNED_EACH_TIME.isdisjoint(self.parameters)

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        return [values[name] for name in self.parameters]


class Statements:
    """All statements of one set of tables."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._texts = load_texts(_PACKAGE, names.identifiers)
        self.joined = lru_cache(maxsize=512)(self._joined)

    def __getitem__(self, name: str) -> Statement:
        return self.joined(name)

    def _joined(self, *parts: str) -> Statement:
        """One statement made of several parts, in this order."""
        parameters: dict[str, int] = {}

        def number(match: re.Match[str]) -> str:
            return f"${parameters.setdefault(match[1], len(parameters) + 1)}"

        text = _PARAMETER.sub(number, "\n".join(self._texts[part] for part in parts))
        return Statement(text, tuple(parameters))


@cache
def load_statements(names: Names) -> Statements:
    return Statements(names)


@cache
def load_migrations(names: Names) -> tuple[str, ...]:
    """The steps in order, each a script; the first makes version 1."""
    scripts = (load_scripts(_PACKAGE, names.identifiers, folder=f"migrations/{version}") for version in _VERSIONS)
    return tuple("\n".join(files) for files in scripts)
