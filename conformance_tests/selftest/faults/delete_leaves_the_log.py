"""`delete` removes the session and leaves its messages: a new session of that id begins with them.

lc-mongo#151, redis savers: half of a thread went, the rest was found by the next of that name.
"""

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.rows import Entry
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, beside

FAMILY = "sessions"
CLAUSE = "SES-4"


class Sessions(MemorySessions):
    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        entry = self._client.database.entries.get((scope.tenant, session_id))
        deleted = await super().delete(scope, session_id, expected_version=expected_version)
        if deleted and entry is not None:
            beside(self._client.database)[scope.tenant, session_id] = entry
        return deleted

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        record = await super().create(scope, draft, or_get=or_get)
        left: Entry | None = beside(self._client.database).pop((scope.tenant, draft.id), None)
        if left is not None:
            self._client.database.entries[scope.tenant, draft.id].log = left.log
        return record


class TestFault(OverMemory):
    sessions = Sessions
