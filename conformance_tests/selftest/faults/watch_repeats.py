"""A watcher meets every third message twice.

At-least-once delivery without a cursor.
"""

from collections.abc import AsyncIterator

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "watching"
CLAUSE = "WATCH-1"


class Messages(MemoryMessages):
    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        async for record in super().watch(scope, session_id, after_seq=after_seq):
            yield record
            if record.seq % 3 == 0:
                yield record


class TestFault(OverMemory):
    messages = Messages
