"""A fork of a session that expires does not expire.

Copies without the key's TTL (Redis's COPY aside).
"""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "ttl"
CLAUSE = "TTL-1"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        await super().fork(scope, fork)
        entry = self._client.database.entries[scope.tenant, fork.new_id]
        entry.record = replace(entry.record, expires_at=None)
        return entry.record


class TestFault(OverMemory):
    sessions = Sessions
