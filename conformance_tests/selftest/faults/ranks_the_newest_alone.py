"""Only the newest hits, twice as many as asked for, are compared by their score.

A search that bounds its work before it ranks.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "search_words"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        found = await super().search(scope, replace(query, limit=1_000))
        newest = sorted(found, key=lambda hit: hit.message.seq, reverse=True)[: query.limit * 2]
        return sorted(newest, key=lambda hit: hit.score, reverse=True)[: query.limit]


class TestFault(OverMemory):
    messages = Messages
