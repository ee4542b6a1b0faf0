"""A message's id is one in the whole database: what another session holds can't be stored here.

A primary key on the message id alone, as in openai-agents#4741.
"""

from agentkeep.errors import Conflict
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find(scope, append.session_id, self._client.now())
        others = (other.by_id for other in self._client.database.entries.values() if other is not entry)
        if append.may_be_stored and any(draft.id in by_id for by_id in others for draft in append.messages):
            raise Conflict("message_id", "a message id", expected="a fresh one", actual="one of another session")
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
