"""A session created under an expired one's id begins with that one's messages.

lc-mongo#151: half of a thread expired.
"""

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "ttl"
CLAUSE = "SES-4"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:

        old = self._client.database.entries.get((scope.tenant, draft.id))
        record = await super().create(scope, draft, or_get=or_get)
        new = self._client.database.entries[scope.tenant, draft.id]
        if old is not None and new is not old:
            new.log, new.by_id = old.log, old.by_id
        return record


class TestFault(OverMemory):
    sessions = Sessions
