"""Whose session it is, is asked when a watch begins and never again.

A session was handed to another user, and the first went on reading.
"""

from collections.abc import AsyncIterator

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "watching_many"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        self._client.find(scope, session_id, self._client.now())
        async for record in super().watch(Scope(scope.tenant), session_id, after_seq=after_seq):
            yield record


class TestFault(OverMemory):
    messages = Messages
