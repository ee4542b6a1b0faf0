"""The tenant filter is missing in `messages.pop`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        scope = of_anyone(self._client.database, scope, session_id)
        return await super().pop(scope, session_id)


class TestFault(OverMemory):
    messages = Messages
