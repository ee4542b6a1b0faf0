"""A removed message's id is never free again: an append under it is a conflict.

Tombstones, and idempotency keys kept in a table of their own.
"""

from agentkeep.errors import Conflict
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, beside

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find(scope, append.session_id, self._client.now())
        seen: set[str] = beside(self._client.database).setdefault((scope.tenant, append.session_id), set())
        if any(draft.id in seen and draft.id not in entry.by_id for draft in append.messages):
            raise Conflict("message_id", "a message id", expected="a fresh one", actual="one that was used")
        seen.update(draft.id for draft in append.messages)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
