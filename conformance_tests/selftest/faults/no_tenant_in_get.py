"""The tenant filter is missing in `sessions.get`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        scope = of_anyone(self._client.database, scope, session_id)
        return await super().get(scope, session_id)


class TestFault(OverMemory):
    sessions = Sessions
