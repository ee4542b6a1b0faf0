"""An id that the session does not hold is answered with an empty message.

omnigent#3402: absent was read as empty.
"""

from agentkeep.errors import MessageNotFound
from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "messages"
CLAUSE = "ERR-1"


class Messages(MemoryMessages):
    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        try:
            return await super().get(scope, session_id, message_id)
        except MessageNotFound:
            return MessageRecord(id=message_id, seq=1, role="user", payload="{}", created_at=self._client.now())


class TestFault(OverMemory):
    messages = Messages
