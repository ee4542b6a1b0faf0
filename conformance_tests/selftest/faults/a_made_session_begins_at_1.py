"""A session that an append makes begins at version 1, whatever life of its id it is.

One constructor with the version, and one without.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "versions"
CLAUSE = "SES-2"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        create = append.create and replace(append.create, version=1)
        return await super().append(scope, replace(append, create=create))


class TestFault(OverMemory):
    messages = Messages
