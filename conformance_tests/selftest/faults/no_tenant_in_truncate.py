"""The tenant filter is missing in `messages.truncate`.

Flowise PR#1497, and every multi-tenant breach: one query forgot the tenant.
"""

from agentkeep.records import Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        scope = of_anyone(self._tables, scope, session_id)
        return await super().truncate(scope, session_id, after_seq=after_seq)


class TestFault(OverMemory):
    messages = Messages
