"""Of a batch of which some ids are stored, the others are appended.

mastra PR#17351's in-batch dedupe: half of a batch lands now, half landed before.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        by_id = self._client.find(scope, append.session_id, self._client.now()).by_id
        missing = [draft for draft in append.messages if draft.id not in by_id]
        return await super().append(scope, replace(append, messages=missing or append.messages))


class TestFault(OverMemory):
    messages = Messages
