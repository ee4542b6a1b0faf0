"""At the very instant of its expiry a session still lives.

`<` for `<=`: two readers of one instant disagree.
"""

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "ttl"
CLAUSE = "TTL-1"


class Sessions(MemorySessions):
    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        entry = self._client.database.entries.get((scope.tenant, session_id))
        if entry is not None and entry.record.expires_at == self._client.now():
            return entry.record
        return await super().get(scope, session_id)


class TestFault(OverMemory):
    sessions = Sessions
