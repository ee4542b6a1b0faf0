"""Of the messages that land together a watcher meets the last.

A notification for each commit, taken for one message.
"""

from collections.abc import AsyncIterator

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "watching"
CLAUSE = "WATCH-1"


class Messages(MemoryMessages):
    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        last: MessageRecord | None = None
        async for record in super().watch(scope, session_id, after_seq=after_seq):
            log = self._client.find(scope, session_id, self._client.now()).log
            if record is log[-1] or last is None:
                yield record
            last = record


class TestFault(OverMemory):
    messages = Messages
