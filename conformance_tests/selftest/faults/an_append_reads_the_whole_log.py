"""An append goes through the whole log to count it.

owui#28169: every message-level write re-reads the entire chat.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "cost"
CLAUSE = "READ-3"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        entry = self._client.find(scope, append.session_id, self._client.now())
        if sum(map(len, (message.payload for message in entry.log))) < 0:
            raise AssertionError
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
