"""What the words of a search mean once an index holds the messages: the same as before (SRCH-1)."""

from __future__ import annotations

from agentkeep import Keep

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.erasure_of_indexed import indexed, store_many
from agentkeep_conformance.families.search_words import MEANINGS
from agentkeep_conformance.families.searching import found, searches
from agentkeep_conformance.samples import said


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
