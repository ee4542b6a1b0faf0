"""The tenant filter is missing in `messages.list`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from collections.abc import Sequence

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        scope = of_anyone(self._client.database, scope, session_id)
        return await super().list(scope, session_id, window)


class TestFault(OverMemory):
    messages = Messages
