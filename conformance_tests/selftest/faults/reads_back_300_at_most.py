"""Reading backwards ends 300 messages before the end of the log.

Providers' windows, taken for the log's end.
"""

from collections.abc import Sequence

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "reading"
CLAUSE = "READ-4"


class Messages(MemoryMessages):
    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        found = await super().list(scope, session_id, window)
        end = self._client.find(scope, session_id, self._client.now()).record.last_seq
        bounded = window.newest_first and window.before is not None
        return [message for message in found if message.seq > end - 300] if bounded else found


class TestFault(OverMemory):
    messages = Messages
