"""`updated_at` follows a clock that goes back.

google/adk-python#1733: times compared across clocks.
"""

from agentkeep.records import Append, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "messages"
CLAUSE = "CNT-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        stored = await super().append(scope, append)
        entry = self._tables.living(scope, append.session_id, self._clock())
        if entry.log[-len(stored) :] == stored:
            entry.record = replace(entry.record, updated_at=self._clock())
        return stored


class TestFault(OverMemory):
    messages = Messages
