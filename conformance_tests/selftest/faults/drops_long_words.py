"""A word of more than 2,000 characters is left out of the query.

PostgreSQL without pg_trgm: its parser drops words of more than 2 kB in silence.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "search_words"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        words = tuple(word for word in query.words if len(word) <= 2_000) or ("",)
        return await super().search(scope, replace(query, words=words))


class TestFault(OverMemory):
    messages = Messages
