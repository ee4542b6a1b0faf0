"""A fork of the whole log is the parent's log: both grow together, and redaction in one is in both.

Every copy by reference, as in LangGraph's planted faults (E2).
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
        parent, copy = self._tables.entries[scope.tenant, session_id], self._tables.entries[scope.tenant, new_id]
        if len(copy.log) == len(parent.log):
            copy.log = parent.log
        return record


class TestFault(OverMemory):
    sessions = Sessions
