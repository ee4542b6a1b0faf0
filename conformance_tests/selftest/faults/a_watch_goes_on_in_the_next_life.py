"""A watcher goes on in a new session of the same id.

It looked up the id at each read.
"""

from collections.abc import AsyncIterator, Sequence

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep.spi.watch import watch
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "watching_many"
CLAUSE = "WATCH-1"


class Messages(MemoryMessages):
    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        async def read(window: MessageRange) -> tuple[str, Sequence[MessageRecord]]:
            return session_id, await self.list(scope, session_id, window)

        return watch(self._client.notifier, scope, session_id, read, after_seq=after_seq)


class TestFault(OverMemory):
    messages = Messages
