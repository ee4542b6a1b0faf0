"""The tenant filter is missing in `sessions.delete`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from agentkeep.records import Scope
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def delete(self, scope: Scope, session_id: str) -> bool:
        scope = of_anyone(self._tables, scope, session_id)
        return await super().delete(scope, session_id)


class TestFault(OverMemory):
    sessions = Sessions
