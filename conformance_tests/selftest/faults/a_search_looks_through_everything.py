"""A search in one session or of one user first looks through all hits of the tenant.

SQLite's search index has no session: a search in one session cost 19 times as much in a full database.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "search_words"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        await super().search(Scope(scope.tenant), replace(query, session_id=None, user_id=None))
        return await super().search(scope, query)


class TestFault(OverMemory):
    messages = Messages
