"""A search finds messages with any of its words.

Search engines' default operator.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "searching"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:

        found = [await super(Messages, self).search(scope, replace(query, words=(word,))) for word in query.words]
        return list({hit.message.id: hit for hits in found for hit in hits}.values())[: query.limit]


class TestFault(OverMemory):
    messages = Messages
