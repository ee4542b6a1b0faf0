"""A session that an append makes has no end.

The new insert left out two columns.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "creating"
CLAUSE = "SES-7"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        create = append.create and replace(append.create, ttl=None, idle_ttl=None)
        return await super().append(scope, replace(append, create=create))


class TestFault(OverMemory):
    messages = Messages
