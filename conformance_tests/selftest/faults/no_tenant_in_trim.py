"""The tenant filter is missing in `messages.trim`.

Flowise PR#1497, and every multi-tenant breach: one query forgot the tenant.
"""

from agentkeep.records import Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        scope = of_anyone(self._tables, scope, session_id)
        return await super().trim(scope, session_id, keep_last=keep_last)


class TestFault(OverMemory):
    messages = Messages
