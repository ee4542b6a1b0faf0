"""A fork under an id that is taken replaces the session there.

A copy written by upsert.
"""

from datetime import timedelta

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(
        self, scope: Scope, session_id: str, *, at_seq: int, new_id: str, ttl: timedelta | None
    ) -> SessionRecord:
        if new_id != session_id:
            self._tables.entries.pop((scope.tenant, new_id), None)
        return await super().fork(scope, session_id, at_seq=at_seq, new_id=new_id, ttl=ttl)


class TestFault(OverMemory):
    sessions = Sessions
