"""A search looks for the first two words of a query alone.

A statement with two placeholders for words.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "search_narrowed"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        return await super().search(scope, replace(query, words=query.words[:2]))


class TestFault(OverMemory):
    messages = Messages
