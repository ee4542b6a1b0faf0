"""A deleted session goes on being counted: its entry in the metadata index stays.

langgraph-redis PR#203: index entries were orphaned.
"""

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, beside

FAMILY = "sessions"
CLAUSE = "SES-6"


class Sessions(MemorySessions):
    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        entry = self._client.database.entries.get((scope.tenant, session_id))
        deleted = await super().delete(scope, session_id, expected_version=expected_version)
        if deleted and entry is not None:
            for label in entry.labels:
                beside(self._client.database).setdefault(label, set()).add(session_id)
        return deleted

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        orphans = len(beside(self._client.database).get(query.labels[0], ())) if query.labels else 0
        return orphans + await super().count(scope, query)


class TestFault(OverMemory):
    sessions = Sessions
