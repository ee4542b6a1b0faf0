"""A fork ends before `at_seq` instead of at it.

An off-by-one at the bound.
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
        entry = self._tables.entries[scope.tenant, new_id]
        if entry.log and entry.log[-1].seq == at_seq:
            del entry.by_id[entry.log.pop().id]
        return record


class TestFault(OverMemory):
    sessions = Sessions
