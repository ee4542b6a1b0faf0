"""The statements of `sql/` and the migrations of `migrations/`, with the tables' prefix filled in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from agentkeep.spi.sqlfiles import load_scripts, load_statements

_PACKAGE = "agentkeep_NAME"


@cache
def statements(prefix: str) -> Mapping[str, str]:
    """By name. `prefix` was checked by `as_prefix`."""
    return load_statements(_PACKAGE, {"prefix": prefix})


@cache
def migrations(prefix: str) -> tuple[str, ...]:
    """In order; the first makes version 1."""
    return load_scripts(_PACKAGE, {"prefix": prefix})
