"""The tenant filter is missing in `sessions.update`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from agentkeep.records import Scope, SessionChanges, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        scope = of_anyone(self._client.database, scope, session_id)
        return await super().update(scope, session_id, changes, add=add, expected_version=expected_version)


class TestFault(OverMemory):
    sessions = Sessions
