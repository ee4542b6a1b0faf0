"""A fork and its parent have one table of message ids: what one appends, the other finds.

Every shallow copy of a session.
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
        record = await super().fork(scope, session_id, at_seq=at_seq, new_id=new_id, ttl=ttl)
        entries = self._tables.entries
        entries[scope.tenant, new_id].by_id = entries[scope.tenant, session_id].by_id
        return record


class TestFault(OverMemory):
    sessions = Sessions
