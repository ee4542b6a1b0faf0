"""A watcher remembers how many messages it met, not which: after a rewind it misses what comes.

An index into a list that is cut.
"""

from collections.abc import AsyncIterator

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "watching"
CLAUSE = "WATCH-1"


class Messages(MemoryMessages):
    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        met = after_seq
        async for record in super().watch(scope, session_id, after_seq=after_seq):
            log = self._client.find(scope, session_id, self._client.now()).log
            if [each.seq for each in log].index(record.seq) >= met:
                met += 1
                yield record


class TestFault(OverMemory):
    messages = Messages
