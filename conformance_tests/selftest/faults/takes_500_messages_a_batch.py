"""Of a batch of more than 500 messages the first 500 are stored.

A batch cut to what one statement can take (mastra PR#17351 chunks), and the rest forgotten.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "capabilities"
CLAUSE = "FID-4"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        return await super().append(scope, replace(append, messages=append.messages[:500]))


class TestFault(OverMemory):
    messages = Messages
