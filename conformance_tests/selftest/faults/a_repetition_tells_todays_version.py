"""A repeated append returns the version of today, with which its caller overwrites what others wrote since.

The session's row was at hand.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        result = await super().append(scope, append)
        entry = self._client.find(scope, append.session_id, self._client.now())
        return result._replace(version=entry.record.version)


class TestFault(OverMemory):
    messages = Messages
