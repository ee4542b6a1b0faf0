"""Which release may use which schema, and what it must run first (LIFE-1, LIFE-4)."""

from __future__ import annotations

import pytest
from agentkeep.errors import SchemaMissing, SchemaTooNew
from agentkeep.spi.schema import SchemaVersion, missing_steps

NAME = "the schema 'agentkeep_'"


def steps(found: SchemaVersion | None, *, known: int, manage_schema: bool = True) -> list[int]:
    return list(missing_steps(found, known=known, manage_schema=manage_schema, name=NAME))


@pytest.mark.parametrize(
    ("found", "known", "missing"),
    [
        (None, 3, [1, 2, 3]),
        (SchemaVersion(1, 1), 3, [2, 3]),
        (SchemaVersion(3, 1), 3, []),
        (SchemaVersion(4, 3), 3, []),
        (SchemaVersion(9, 1), 3, []),
    ],
)
def test_the_missing_steps(found: SchemaVersion | None, known: int, missing: list[int]) -> None:
    assert steps(found, known=known) == missing


@pytest.mark.parametrize("manage_schema", [True, False])
def test_a_release_older_than_the_oldest_that_may_use_it_must_not(manage_schema: bool) -> None:
    with pytest.raises(SchemaTooNew) as caught:
        steps(SchemaVersion(5, 4), known=3, manage_schema=manage_schema)
    assert (caught.value.found, caught.value.known, caught.value.oldest) == (5, 3, 4)


def test_without_manage_schema_nothing_is_run() -> None:
    with pytest.raises(SchemaMissing, match="does not exist; this release needs version 2"):
        steps(None, known=2, manage_schema=False)
    with pytest.raises(SchemaMissing, match="has version 1; this release needs version 2"):
        steps(SchemaVersion(1, 1), known=2, manage_schema=False)
    assert steps(SchemaVersion(2, 1), known=2, manage_schema=False) == []
    assert steps(SchemaVersion(3, 2), known=2, manage_schema=False) == []


def test_the_error_says_what_the_schemas_owner_must_do() -> None:
    with pytest.raises(SchemaMissing, match="run `agentkeep migrate --sql`"):
        missing_steps(None, known=1, manage_schema=False, name=NAME, remedy="run `agentkeep migrate --sql`")
