"""`updated_at` stays where it was when an append sets the session's metadata: it is listed at its former time.

Issue 12: SQLite, for a session's first filterable metadata.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "moving"
CLAUSE = "READ-5"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find_any(scope, append.session_id, self._client.now())
        before = entry and entry.record.updated_at
        result = await super().append(scope, append)
        if entry and before and append.changes and "labels" in append.changes and result.new:
            entry.record = replace(entry.record, updated_at=before)
        return result


class TestFault(OverMemory):
    messages = Messages
