"""The tenant filter is missing in `sessions.touch`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from datetime import timedelta

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        scope = of_anyone(self._client.database, scope, session_id)
        return await super().touch(scope, session_id, ttl=ttl)


class TestFault(OverMemory):
    sessions = Sessions
