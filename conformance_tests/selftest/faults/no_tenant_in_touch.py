"""The tenant filter is missing in `sessions.touch`.

Flowise PR#1497, and every multi-tenant breach: one query forgot the tenant.
"""

from datetime import timedelta

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def touch(
        self, scope: Scope, session_id: str, *, ttl: timedelta | None, idle_ttl: timedelta | None
    ) -> SessionRecord:
        scope = of_anyone(self._tables, scope, session_id)
        return await super().touch(scope, session_id, ttl=ttl, idle_ttl=idle_ttl)


class TestFault(OverMemory):
    sessions = Sessions
