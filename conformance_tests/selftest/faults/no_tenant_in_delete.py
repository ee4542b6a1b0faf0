"""The tenant filter is missing in `sessions.delete`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from agentkeep.records import Scope
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        scope = of_anyone(self._client.database, scope, session_id)
        return await super().delete(scope, session_id, expected_version=expected_version)


class TestFault(OverMemory):
    sessions = Sessions
