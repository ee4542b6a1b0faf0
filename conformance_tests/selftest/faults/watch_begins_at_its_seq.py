"""A watch begins with the message of `after_seq` instead of behind it.

Stream ids that are inclusive here and exclusive there.
"""

from collections.abc import AsyncIterator

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "watching"
CLAUSE = "WATCH-1"


class Messages(MemoryMessages):
    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        async for record in super().watch(scope, session_id, after_seq=max(0, after_seq - 1)):
            yield record


class TestFault(OverMemory):
    messages = Messages
