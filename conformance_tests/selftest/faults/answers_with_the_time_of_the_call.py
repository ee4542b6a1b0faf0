"""`append` answers with the time of the call although the message had one of its own; what is stored is right.

google/adk-python#5354: created and appended events told different times.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "messages"
CLAUSE = "FID-3"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        stored = await super().append(scope, append)
        return stored._replace(messages=[replace(each, created_at=self._client.now()) for each in stored.messages])


class TestFault(OverMemory):
    messages = Messages
