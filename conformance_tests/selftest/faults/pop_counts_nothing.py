"""`pop` removes the message and leaves the session's counters as they were.

hermes PR#23254, ark PR#3004: maintained counters that drift.
"""

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "messages"
CLAUSE = "CNT-1"


class Messages(MemoryMessages):
    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        entry = self._client.find(scope, session_id, self._client.now())
        record = entry.record
        popped = await super().pop(scope, session_id)
        entry.record = replace(record, updated_at=entry.record.updated_at)
        return popped


class TestFault(OverMemory):
    messages = Messages
