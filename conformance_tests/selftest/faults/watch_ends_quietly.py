"""A watch of a session that is deleted ends as if all had been said.

Streams that close without a reason.
"""

from collections.abc import AsyncIterator

from agentkeep.errors import SessionNotFound
from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "watching"
CLAUSE = "WATCH-1"


class Messages(MemoryMessages):
    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        try:
            async for record in super().watch(scope, session_id, after_seq=after_seq):
                yield record
        except SessionNotFound:
            if (scope.tenant, session_id) not in self._client.database.entries:
                return
            raise


class TestFault(OverMemory):
    messages = Messages
