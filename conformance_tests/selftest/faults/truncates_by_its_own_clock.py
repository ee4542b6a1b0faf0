"""A rewind is dated by the clock of whoever does it, also if that is behind: `updated_at` goes back."""

import msgspec
from agentkeep.records import Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "clocks"
CLAUSE = "CNT-1"


class Messages(MemoryMessages):
    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        removed = await super().truncate(scope, session_id, after_seq=after_seq)
        now = self._client.now()
        entry = self._client.find(scope, session_id, now)
        entry.record = msgspec.structs.replace(entry.record, updated_at=now)
        return removed


class TestFault(OverMemory):
    messages = Messages
