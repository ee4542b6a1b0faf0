"""Tenant and session id are joined by a colon: ("a", "b:c") and ("a:b", "c") are one session.

py-key-value's Redis store joins with "::" unescaped (research, section 3).
"""

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "isolation"
CLAUSE = "ISO-2"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        joined = f"{scope.tenant}:{draft.id}"
        for (tenant, name), entry in list(self._client.database.entries.items()):
            if f"{tenant}:{name}" == joined:
                self._client.database.entries[scope.tenant, draft.id] = entry
        return await super().create(scope, draft, or_get=or_get)


class TestFault(OverMemory):
    sessions = Sessions
