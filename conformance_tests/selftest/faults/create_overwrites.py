"""`create` of an existing id replaces the session: an upsert.

smithers#533: saving a thread that existed reset what it held.
"""

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "sessions"
CLAUSE = "SES-1"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        if not or_get:
            self._client.database.entries.pop((scope.tenant, draft.id), None)
        return await super().create(scope, draft, or_get=or_get)


class TestFault(OverMemory):
    sessions = Sessions
