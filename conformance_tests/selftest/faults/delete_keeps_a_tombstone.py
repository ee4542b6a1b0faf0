"""A deleted session is only marked: its row stays in the database.

Soft deletes; GDPR requests that were answered 'done'.
"""

from agentkeep.records import Scope
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, beside

FAMILY = "erasure"
CLAUSE = "SES-6"


class Sessions(MemorySessions):
    async def delete(self, scope: Scope, session_id: str) -> bool:
        entry = self._tables.entries.get((scope.tenant, session_id))
        deleted = await super().delete(scope, session_id)
        if deleted:
            beside(self._tables)[scope.tenant, session_id] = entry
        return deleted


class TestFault(OverMemory):
    sessions = Sessions
