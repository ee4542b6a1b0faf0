"""A user's view appends to any session of the tenant.

LibreChat, Chainlit: a conversation id was enough to write to it.
"""

from agentkeep.records import Append, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        return await super().append(Scope(scope.tenant), append)


class TestFault(OverMemory):
    messages = Messages
