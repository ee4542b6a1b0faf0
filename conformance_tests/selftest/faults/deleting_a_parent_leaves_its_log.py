"""The log of a session that was forked stays when both are deleted.

Copy-on-write logs with a count that never falls to 0.
"""

from agentkeep.records import Scope
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, beside

FAMILY = "erasure"
CLAUSE = "SES-6"


class Sessions(MemorySessions):
    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        entry = self._client.database.entries.get((scope.tenant, session_id))
        deleted = await super().delete(scope, session_id, expected_version=expected_version)
        if deleted and entry is not None and entry.record.forked_at_seq is not None:
            beside(self._client.database)[scope.tenant, session_id] = entry.log
        return deleted


class TestFault(OverMemory):
    sessions = Sessions
