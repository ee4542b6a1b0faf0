"""`trim` of an absent session ends with a KeyError.

A path that nobody tried with a session that is not there.
"""

from agentkeep.records import Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "sessions"
CLAUSE = "ERR-1"


class Messages(MemoryMessages):
    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        _ = self._client.database.entries[scope.tenant, session_id]
        return await super().trim(scope, session_id, keep_last=keep_last)


class TestFault(OverMemory):
    messages = Messages
