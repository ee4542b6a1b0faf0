"""A user's view appends to any session of the tenant.

An id that is hard to guess, taken for a permission.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        return await super().append(Scope(scope.tenant), append)


class TestFault(OverMemory):
    messages = Messages
