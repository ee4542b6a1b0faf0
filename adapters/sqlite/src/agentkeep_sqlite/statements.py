"""The named statements of `sql/*.sql` and the steps of `migrations/*.sql`, with the tables' prefix filled in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_PACKAGE = "agentkeep_sqlite"
_NAME = "-- name: "
_PREFIX = "{prefix}"

Statements = Mapping[str, str]


class Migration(NamedTuple):
    """One numbered step of the schema."""

    version: int
    statements: tuple[str, ...]


@cache
def load_statements(prefix: str) -> Statements:
    """All statements by name. `prefix` was validated by `agentkeep.spi.options.as_prefix`."""
    statements: dict[str, str] = {}
    for file in _sql_files("sql"):
        _, *blocks = file.split(_NAME)
        for block in blocks:
            name, _, text = block.partition("\n")
            statements[name] = _without_comments(text).rstrip(";\n").replace(_PREFIX, prefix)
    return statements


@cache
def load_migrations(prefix: str) -> tuple[Migration, ...]:
    """The steps in order; the first has version 1."""
    return tuple(
        Migration(version, tuple(_split(text.replace(_PREFIX, prefix))))
        for version, text in enumerate(_sql_files("migrations"), 1)
    )


def _sql_files(folder: str) -> list[str]:
    found = [file for file in files(_PACKAGE).joinpath(folder).iterdir() if file.name.endswith(".sql")]
    return [file.read_text("utf-8") for file in sorted(found, key=lambda file: file.name)]


def _split(text: str) -> list[str]:
    return [part for raw in _without_comments(text).split(";\n") if (part := raw.strip())]


def _without_comments(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("--"))
