"""`updated_at` follows a clock that goes back.

google/adk-python#1733: times compared across clocks.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "messages"
CLAUSE = "CNT-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        stored = await super().append(scope, append)
        entry = self._client.find(scope, append.session_id, self._client.now())
        if entry.log[-len(stored) :] == stored:
            entry.record = replace(entry.record, updated_at=self._client.now())
        return stored


class TestFault(OverMemory):
    messages = Messages
