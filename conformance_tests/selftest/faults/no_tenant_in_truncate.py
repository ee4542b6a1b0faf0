"""The tenant filter is missing in `messages.truncate`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from agentkeep.records import Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        scope = of_anyone(self._client.database, scope, session_id)
        return await super().truncate(scope, session_id, after_seq=after_seq)


class TestFault(OverMemory):
    messages = Messages
