"""A longer life is given to the session and not to its messages, which expire when they were to expire first.

lg-redis#137, #13, PR#59: a session's keys expire one by one.
"""

from agentkeep.records import Append, MessageRange, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, beside

FAMILY = "ttl"
CLAUSE = "TTL-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        entry = self._tables.living(scope, append.session_id, self._clock())
        stored = await super().append(scope, append)
        beside(self._tables).setdefault((scope.tenant, append.session_id), entry.record.expires_at)
        return stored

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        found = await super().list(scope, session_id, window)
        end = beside(self._tables).get((scope.tenant, session_id))
        return [] if end is not None and end <= self._clock() else found


class TestFault(OverMemory):
    messages = Messages
