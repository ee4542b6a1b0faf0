"""An updated message goes to the end of the log, under a new seq: it is removed and added.

mastra PR#13072: saving a message again gave it a new place.
"""

from agentkeep.records import MessageDraft, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec import structs
from over import OverMemory

FAMILY = "messages"
CLAUSE = "SES-2"


class Messages(MemoryMessages):
    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        replaced = await super().replace(scope, session_id, message, expected=expected)
        entry = self._client.find(scope, session_id, self._client.now())
        if replaced is not None and entry.log[-1].id != message.id:
            old = entry.by_id[message.id]
            moved = structs.replace(old, seq=entry.record.last_seq + 1)
            entry.log.append(entry.log.pop(entry.log.index(old)))
            entry.log[-1] = entry.by_id[message.id] = moved
            entry.record = structs.replace(entry.record, last_seq=moved.seq)
            return moved
        return replaced


class TestFault(OverMemory):
    messages = Messages
