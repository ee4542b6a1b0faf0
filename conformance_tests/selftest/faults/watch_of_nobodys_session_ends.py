"""A watch of a session that the view may not see ends at once, without an error.

An empty answer where a refusal is due.
"""

from collections.abc import AsyncIterator

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "watching"
CLAUSE = "WATCH-1"


class Messages(MemoryMessages):
    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        entry = self._client.database.entries.get((scope.tenant, session_id))
        if entry is not None and scope.user_id not in (None, entry.record.user_id):
            return
        async for record in super().watch(scope, session_id, after_seq=after_seq):
            yield record


class TestFault(OverMemory):
    messages = Messages
