"""What is truncated is no longer in the log, and still in the database.

deer-flow#3011: rows that nothing points to.
"""

from agentkeep.records import Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, beside

FAMILY = "erasure"
CLAUSE = "SES-6"


class Messages(MemoryMessages):
    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        entry = self._client.find(scope, session_id, self._client.now())
        beside(self._client.database).setdefault((scope.tenant, session_id), []).extend(entry.log)
        return await super().truncate(scope, session_id, after_seq=after_seq)


class TestFault(OverMemory):
    messages = Messages
