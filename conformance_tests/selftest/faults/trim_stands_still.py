"""`trim` does not set `updated_at`.

A write that somebody forgot when the others were made to set the time.
"""

from agentkeep.records import Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "messages"
CLAUSE = "CNT-1"


class Messages(MemoryMessages):
    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        entry = self._client.find(scope, session_id, self._client.now())
        updated_at = entry.record.updated_at
        gone = await super().trim(scope, session_id, keep_last=keep_last)
        entry.record = replace(entry.record, updated_at=updated_at)
        return gone


class TestFault(OverMemory):
    messages = Messages
