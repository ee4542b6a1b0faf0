"""Loads the named statements of `sql/*.sql` and the steps of `migrations/*.sql`, and fills in the tables' prefix."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from agentkeep.spi import sqlfiles

_PACKAGE = "agentkeep_sqlite"

Statements = Mapping[str, str]
Migration = tuple[str, ...]
"""The statements of one step of the schema."""


@cache
def load_statements(prefix: str) -> Statements:
    """All statements by name."""
    return sqlfiles.load_statements(_PACKAGE, {"prefix": prefix})


@cache
def load_migrations(prefix: str) -> tuple[Migration, ...]:
    """The steps in order. The first makes version 1."""
    scripts = sqlfiles.load_scripts(_PACKAGE, {"prefix": prefix})
    return tuple(tuple(sqlfiles.split_script(script)) for script in scripts)
