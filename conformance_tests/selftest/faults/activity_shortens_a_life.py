"""An append sets the end to now and the idle time, also where the session was to live longer.

EXPIRE without GT.
"""

from agentkeep.records import Append, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "ttl"
CLAUSE = "TTL-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:

        stored = await super().append(scope, append)
        entry = self._tables.living(scope, append.session_id, self._clock())
        if append.idle_ttl is not None:
            entry.record = replace(entry.record, expires_at=self._clock() + append.idle_ttl)
        return stored


class TestFault(OverMemory):
    messages = Messages
