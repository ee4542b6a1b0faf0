"""An append sets the end to now and the idle time, even if the session was to live longer.

EXPIRE without GT.
"""

from datetime import timedelta

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "ttl"
CLAUSE = "TTL-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        stored = await super().append(scope, append)
        entry = self._client.find(scope, append.session_id, self._client.now())
        if entry.record.expires_at is not None:
            entry.record = replace(entry.record, expires_at=self._client.now() + timedelta(minutes=1))
        return stored


class TestFault(OverMemory):
    messages = Messages
