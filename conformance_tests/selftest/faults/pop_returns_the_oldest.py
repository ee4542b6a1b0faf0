"""`pop` returns the oldest message of those held, and removes the newest.

openai-agents#3304: five backends differed in what pop_item gives.
"""

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "messages"
CLAUSE = "CNT-1"


class Messages(MemoryMessages):
    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        oldest = self._client.find(scope, session_id, self._client.now()).log[:1]
        popped = await super().pop(scope, session_id)
        return oldest[0] if popped else None


class TestFault(OverMemory):
    messages = Messages
