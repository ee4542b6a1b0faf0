"""The tenant filter is missing in `messages.trim`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from agentkeep.records import Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        scope = of_anyone(self._client.database, scope, session_id)
        return await super().trim(scope, session_id, keep_last=keep_last)


class TestFault(OverMemory):
    messages = Messages
