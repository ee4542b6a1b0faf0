"""A retry that stamps its messages anew is a conflict: `created_at` is compared with the content.

Clients that fill in the time before each try.
"""

from agentkeep.errors import Conflict
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find(scope, append.session_id, self._client.now())
        for draft in append.messages:
            stored = entry.by_id.get(draft.id)
            if stored is not None and draft.created_at not in (None, stored.created_at):
                raise Conflict("message_id", "the message", expected=stored.created_at, actual=draft.created_at)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
