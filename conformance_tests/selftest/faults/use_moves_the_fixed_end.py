"""Each append moves the fixed end along.

One field `expires_at` for both kinds of limit.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace as changed
from over import OverMemory

FAMILY = "expiry"
CLAUSE = "TTL-3"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        result = await super().append(scope, append)
        entry = self._client.find(scope, append.session_id, self._client.now())
        record = entry.record
        if record.ends_at is not None and result.new:
            moved = record.ends_at + (record.updated_at - record.created_at)
            entry.record = changed(
                record, ends_at=moved, expires_at=record.expires_at and max(moved, record.expires_at)
            )
        return result


class TestFault(OverMemory):
    messages = Messages
