"""A deleted session's messages are found for as long as the search index keeps them.

lg#6686: search returned threads that were gone.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep.spi.text import searchable_text
from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, beside

FAMILY = "searching"
CLAUSE = "SRCH-1"


class Sessions(MemorySessions):
    async def delete(self, scope: Scope, session_id: str) -> bool:
        entry = self._tables.entries.get((scope.tenant, session_id))
        deleted = await super().delete(scope, session_id)
        if deleted and entry is not None:
            ghosts = beside(self._tables).setdefault(scope, [])
            ghosts += [HitRecord(session_id=session_id, message=each, score=0, highlights=[]) for each in entry.log]
        return deleted


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        ghosts: list[HitRecord] = beside(self._tables).get(scope, [])
        found = [hit for hit in ghosts if query.text and query.text in searchable_text(hit.message.payload)]
        return [*await super().search(scope, query), *found]


class TestFault(OverMemory):
    sessions = Sessions
    messages = Messages
