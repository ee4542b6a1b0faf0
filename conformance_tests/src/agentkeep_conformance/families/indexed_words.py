"""What the words of a search mean once an index holds the messages: the same as before (SRCH-1)."""

from __future__ import annotations

import pytest
from agentkeep import Keep

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.erasure_of_indexed import indexed, store_many
from agentkeep_conformance.families.search_narrowed import QUERIES, means_the_same_under_each_filter, store_query
from agentkeep_conformance.families.searching import found, searches
from agentkeep_conformance.meanings import MEANINGS
from agentkeep_conformance.samples import said
from agentkeep_conformance.small_steps import small_steps


class IndexedWords:
    @proves("SRCH-1")
    async def test_a_filled_index_means_the_same(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            await store_many(keep, "ыы")
            await keep.sessions.create("s")
            await keep.messages.append("s", [said(text, id=row) for row, (text, _, _) in MEANINGS.items()])
            await keep.messages.append("s", [said("ъъъъ")])
            await indexed(keep, "ъъъъ")
            for row, (_, queries, others) in MEANINGS.items():
                assert [query for query in queries if row not in await found(keep, query)] == [], "these must find it"
                assert [query for query in others if row in await found(keep, query)] == [], "these must not"

    @proves("SRCH-1", "ISO-1")
    @pytest.mark.parametrize("row", QUERIES)
    async def test_a_filled_index_means_the_same_under_each_filter(
        self, database: Database, keep: Keep, row: str
    ) -> None:
        """With small limits, so that sessions and users have more messages than are searched without an index."""
        if await searches(database, keep):
            with small_steps(database.enrolment.small_steps):
                await store_query(keep, row)
                await keep.messages.append("last", [said("ъъъъ")], create={})
                await indexed(keep, "ъъъъ")
                await means_the_same_under_each_filter(keep, row)
