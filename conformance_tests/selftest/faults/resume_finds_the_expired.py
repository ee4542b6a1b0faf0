"""A session that has expired can still be resumed.

A read that came later and forgot the condition.
"""

from agentkeep.records import ResumedRecord, Scope
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "expiry"
CLAUSE = "TTL-1"


class Sessions(MemorySessions):
    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        entry = self._client.database.entries.get((scope.tenant, session_id))
        if entry is None or scope.user_id is not None:
            return await super().resume(scope, session_id, tail=tail)
        return ResumedRecord(entry.record, entry.log[-tail:][::-1])


class TestFault(OverMemory):
    sessions = Sessions
