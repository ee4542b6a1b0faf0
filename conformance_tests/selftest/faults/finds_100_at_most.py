"""A search finds at most 100 messages.

mem0#6108: top_k's silent default.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "searching"
CLAUSE = "READ-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:

        return await super().search(scope, replace(query, limit=min(query.limit, 100)))


class TestFault(OverMemory):
    messages = Messages
