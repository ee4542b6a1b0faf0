"""A schema that a later release made: an older release may use it if the schema says so (LIFE-4)."""

from __future__ import annotations

from typing import Any

import pytest
from agentkeep import Keep, SchemaTooNew

from agentkeep_conformance.clauses import needs, proves, takes_long
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.upgrade import NO_SCHEMA
from agentkeep_conformance.samples import numbered, said, seqs, whole


class SchemaVersions:
    @takes_long
    @proves("LIFE-4", "LIFE-1")
    @needs("store_schema_version", NO_SCHEMA)
    @pytest.mark.parametrize("oldest", ["this release's", "an earlier one's"])
    async def test_a_later_schema_that_allows_this_release_is_used(
        self, database: Database, keep: Keep, oldest: str
    ) -> None:
        known = await _known(keep)
        await keep.sessions.create("s", user_id="u")
        await keep.messages.append("s", numbered(2))
        before = await whole(keep, "s")
        least = known if oldest == "this release's" else max(1, known - 1)
        await self._store(database, known + 3, least)
        for number in range(2):  # opening it does not turn its version back
            again = await database.keep(**_unmanaged(database, number))
            assert await whole(again, "s") == before
            assert seqs(await again.messages.append("s", [said(id=f"n{number}")])) == [3 + number]
            before = await whole(again, "s")
            await again.close()
        await self._store(database, known + 3, known + 1)
        with pytest.raises(SchemaTooNew):
            await database.keep()

    @proves("LIFE-4", "LIFE-1")
    @needs("store_schema_version", NO_SCHEMA)
    async def test_a_later_schema_that_excludes_this_release_is_refused(self, database: Database, keep: Keep) -> None:
        known = await _known(keep)
        await keep.sessions.create("s")
        before = await whole(keep, "s")
        await self._store(database, known + 5, known + 2)
        for number in range(2):
            with pytest.raises(SchemaTooNew) as caught:
                await database.keep(**_unmanaged(database, number))
            error = caught.value
            assert (error.found, error.known, error.oldest) == (known + 5, known, known + 2)
            assert str(known + 2) in str(error)
        await self._store(database, known, 1)
        assert await whole(await database.keep(), "s") == before

    async def _store(self, database: Database, version: int, oldest: int) -> None:
        await database.enrolment.store_schema_version(database.dsn, database.namespace, version, oldest)


async def _known(keep: Keep) -> int:
    version = (await keep.health()).schema_version
    assert version is not None, "health does not tell the version of a schema that there is"
    return version


def _unmanaged(database: Database, number: int) -> dict[str, Any]:
    """By turns with and without the right to change the schema, if the adapter tells the two apart."""
    return {"manage_schema": False} if database.enrolment.has_schema and number % 2 else {}
