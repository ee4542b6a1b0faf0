"""A deleted session is only marked: its row stays in the database.

Soft deletes; GDPR requests that were answered 'done'.
"""

from agentkeep.records import Scope
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, beside

FAMILY = "erasure"
CLAUSE = "SES-6"


class Sessions(MemorySessions):
    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        entry = self._client.database.entries.get((scope.tenant, session_id))
        deleted = await super().delete(scope, session_id, expected_version=expected_version)
        if deleted:
            beside(self._client.database)[scope.tenant, session_id] = entry
        return deleted


class TestFault(OverMemory):
    sessions = Sessions
