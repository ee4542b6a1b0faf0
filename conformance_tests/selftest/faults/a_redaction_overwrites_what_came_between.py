"""A message is replaced, whatever it has become since it was read.

An UPDATE without the content key in its condition.
"""

from agentkeep.records import MessageDraft, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "error_values"
CLAUSE = "ERR-5"


class Messages(MemoryMessages):
    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        entry = self._client.find(scope, session_id, self._client.now())
        now = entry.by_id[message.id].content_key
        return await super().replace(scope, session_id, message, expected=now)


class TestFault(OverMemory):
    messages = Messages
