"""A touch with a time to live adds it to the end that there is.

`expires_at += ttl`.
"""

from datetime import timedelta

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "expiry"
CLAUSE = "TTL-3"


class Sessions(MemorySessions):
    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        now = self._client.now()
        record = self._client.find(scope, session_id, now).record
        if ttl is not None and record.ends_at is not None:
            ttl += record.ends_at - now
        return await super().touch(scope, session_id, ttl=ttl)


class TestFault(OverMemory):
    sessions = Sessions
