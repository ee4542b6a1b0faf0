"""An append brings an expired session back, as long as no sweep came by.

TTL indexes that run once a minute (MongoDB), and reads that do not ask.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "ttl"
CLAUSE = "TTL-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        entry = self._client.database.entries.get((scope.tenant, append.session_id))
        if entry is not None and entry.is_expired(self._client.now()):
            entry.record = replace(entry.record, expires_at=None)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
