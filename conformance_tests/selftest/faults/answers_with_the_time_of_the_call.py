"""`append` answers with the time of the call where the message had one of its own; what is stored is right.

google/adk-python#5354: created and appended events told different times.
"""

from agentkeep.records import Append, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "messages"
CLAUSE = "FID-3"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        stored = await super().append(scope, append)
        return [replace(message, created_at=self._clock()) for message in stored]


class TestFault(OverMemory):
    messages = Messages
