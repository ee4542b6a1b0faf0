"""An updated message goes to the end of the log, under a new seq: it is removed and added.

mastra PR#13072: saving a message again gave it a new place.
"""

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec import structs
from over import OverMemory

FAMILY = "messages"
CLAUSE = "SES-2"


class Messages(MemoryMessages):
    async def replace(
        self, scope: Scope, session_id: str, message_id: str, *, role: str, payload: str, expected: MessageRecord
    ) -> MessageRecord | None:
        replaced = await super().replace(scope, session_id, message_id, role=role, payload=payload, expected=expected)
        entry = self._tables.living(scope, session_id, self._clock())
        if replaced is not None and entry.log[-1].id != message_id:
            moved = structs.replace(replaced, seq=entry.record.last_seq + 1)
            entry.log.append(entry.log.pop(entry.log.index(replaced)))
            entry.log[-1] = entry.by_id[message_id] = moved
            entry.record = structs.replace(entry.record, last_seq=moved.seq)
            return moved
        return replaced


class TestFault(OverMemory):
    messages = Messages
