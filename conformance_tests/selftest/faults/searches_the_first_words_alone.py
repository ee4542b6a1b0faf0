"""Only the longest two words of a query are looked for.

PostgreSQL's adapter looked up one word in the index; a candidate list that is not checked again finds too much.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "search_words"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        return await super().search(scope, replace(query, words=query.words[:2]))


class TestFault(OverMemory):
    messages = Messages
