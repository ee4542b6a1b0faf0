"""If no message is new, the rest of the call happens all the same.

The messages were taken out first, and the append of nothing went on.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "skipping"
CLAUSE = "IDEM-3"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        result = await super().append(scope, append)
        if append.stored == "skip" and append.messages and not result.new and append.changes is not None:
            self._client.find(scope, append.session_id, self._client.now()).touch(self._client.now(), append.changes)
        return result


class TestFault(OverMemory):
    messages = Messages
