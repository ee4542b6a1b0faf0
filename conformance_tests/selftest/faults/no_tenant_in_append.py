"""The tenant filter is missing in `messages.append`.

Flowise PR#1497, and every multi-tenant breach: one query forgot the tenant.
"""

from agentkeep.records import Append, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        scope = of_anyone(self._tables, scope, append.session_id)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
