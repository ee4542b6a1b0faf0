"""The tenant filter is missing in `sessions.update`.

Flowise PR#1497, and every multi-tenant breach: one query forgot the tenant.
"""

from agentkeep.records import Scope, SessionChanges, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def update(
        self, scope: Scope, session_id: str, changes: SessionChanges, *, expected_version: int | None
    ) -> SessionRecord:
        scope = of_anyone(self._tables, scope, session_id)
        return await super().update(scope, session_id, changes, expected_version=expected_version)


class TestFault(OverMemory):
    sessions = Sessions
