"""A watcher that is far behind is shown one page, and then what is new.

A backlog read with a limit and no loop.
"""

from collections.abc import AsyncIterator

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "watching_many"
CLAUSE = "WATCH-1"


class Messages(MemoryMessages):
    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        behind = self._client.find(scope, session_id, self._client.now()).record.last_seq
        shown = 0
        async for record in super().watch(scope, session_id, after_seq=after_seq):
            shown += 1
            if shown <= 500 or record.seq > behind:
                yield record


class TestFault(OverMemory):
    messages = Messages
