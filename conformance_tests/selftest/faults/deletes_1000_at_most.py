"""`delete_many` removes at most 1,000 sessions and then says that none is left.

mem0#6108: delete_all removed what one capped listing had shown.
"""

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, beside

FAMILY = "sessions"
CLAUSE = "SES-6"


class Sessions(MemorySessions):
    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        gone: int = beside(self._client.database).get(query, 0)
        if gone >= 1_000:
            return 0
        deleted = await super().delete_many(scope, query, limit=limit)
        beside(self._client.database)[query] = gone + deleted
        return deleted


class TestFault(OverMemory):
    sessions = Sessions
