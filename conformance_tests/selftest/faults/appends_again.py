"""A retried append doubles: the ids of the messages are not looked for.

af#7211, agno#4332, MemOS#145: 90 % of 6,076 memories were duplicates.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find(scope, append.session_id, self._client.now())
        held, entry.by_id = entry.by_id, {}
        try:
            return await super().append(scope, append)
        finally:
            entry.by_id = {message.id: message for message in entry.log} or held


class TestFault(OverMemory):
    messages = Messages
