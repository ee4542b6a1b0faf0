"""A fork of a session that expires does not expire.

Copies without the key's TTL (Redis's COPY aside).
"""

from datetime import timedelta

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "ttl"
CLAUSE = "TTL-1"


class Sessions(MemorySessions):
    async def fork(
        self, scope: Scope, session_id: str, *, at_seq: int, new_id: str, ttl: timedelta | None
    ) -> SessionRecord:
        await super().fork(scope, session_id, at_seq=at_seq, new_id=new_id, ttl=ttl)
        entry = self._tables.entries[scope.tenant, new_id]
        entry.record = replace(entry.record, expires_at=None)
        return entry.record


class TestFault(OverMemory):
    sessions = Sessions
