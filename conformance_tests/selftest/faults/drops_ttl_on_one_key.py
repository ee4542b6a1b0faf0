"""A longer life is given to the session and not to its messages, which expire when they were to expire first.

lg-redis#137, #13, PR#59: a session's keys expire one by one.
"""

from collections.abc import Sequence

from agentkeep.records import Append, AppendedRecord, MessageRange, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, beside

FAMILY = "ttl"
CLAUSE = "TTL-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find(scope, append.session_id, self._client.now())
        stored = await super().append(scope, append)
        beside(self._client.database).setdefault((scope.tenant, append.session_id), entry.record.expires_at)
        return stored

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        found = await super().list(scope, session_id, window)
        end = beside(self._client.database).get((scope.tenant, session_id))
        return [] if end is not None and end <= self._client.now() else found


class TestFault(OverMemory):
    messages = Messages
