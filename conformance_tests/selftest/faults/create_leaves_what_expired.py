"""What an expired session left behind stays in the database when its id is used again.

langgraph-redis PR#203: orphans.
"""

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, beside

FAMILY = "erasure"
CLAUSE = "TTL-2"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:

        old = self._client.database.entries.get((scope.tenant, draft.id))
        record = await super().create(scope, draft, or_get=or_get)
        if old is not None and self._client.database.entries[scope.tenant, draft.id] is not old:
            beside(self._client.database)[scope.tenant, draft.id] = old.log
        return record


class TestFault(OverMemory):
    sessions = Sessions
