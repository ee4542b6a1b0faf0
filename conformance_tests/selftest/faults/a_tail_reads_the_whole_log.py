"""A tail reads all messages and throws away all but the last.

google/adk-python#4917, #3039: 3,000 events, 8 s.
"""

from collections.abc import Sequence

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "cost"
CLAUSE = "READ-3"


class Messages(MemoryMessages):
    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        if not window.newest_first:
            return await super().list(scope, session_id, window)
        entry = self._client.find(scope, session_id, self._client.now())
        log, record = entry.log, entry.record
        before = record.last_seq + 1 if window.before is None else window.before
        found = [message for message in log if window.after < abs(message.seq) < before]
        return found[::-1][: window.limit]


class TestFault(OverMemory):
    messages = Messages
