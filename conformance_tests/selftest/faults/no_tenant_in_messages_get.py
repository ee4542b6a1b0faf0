"""The tenant filter is missing in `messages.get`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        scope = of_anyone(self._client.database, scope, session_id)
        return await super().get(scope, session_id, message_id)


class TestFault(OverMemory):
    messages = Messages
