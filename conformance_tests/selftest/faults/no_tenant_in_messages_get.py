"""The tenant filter is missing in `messages.get`.

Flowise PR#1497, and every multi-tenant breach: one query forgot the tenant.
"""

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        scope = of_anyone(self._tables, scope, session_id)
        return await super().get(scope, session_id, message_id)


class TestFault(OverMemory):
    messages = Messages
