"""A deleted session's messages are found for as long as the search index keeps them.

lg#6686: search returned threads that were gone.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, beside

FAMILY = "searching"
CLAUSE = "SRCH-1"


class Sessions(MemorySessions):
    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        entry = self._client.database.entries.get((scope.tenant, session_id))
        deleted = await super().delete(scope, session_id, expected_version=expected_version)
        if deleted and entry is not None:
            ghosts = beside(self._client.database).setdefault(scope, [])
            ghosts += [(each.search_text, HitRecord(session_id, each, 0)) for each in entry.log]
        return deleted


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        ghosts: list[tuple[str, HitRecord]] = beside(self._client.database).get(scope, [])
        found = [hit for text, hit in ghosts if all(word in text for word in query.words)]
        return [*await super().search(scope, query), *found]


class TestFault(OverMemory):
    sessions = Sessions
    messages = Messages
