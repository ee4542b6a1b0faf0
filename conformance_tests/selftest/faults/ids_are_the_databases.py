"""A message's id is one in the whole database: what another session holds can't be stored here.

A primary key on the message id alone, as in openai-agents#4741.
"""

from agentkeep.errors import Conflict
from agentkeep.records import Append, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        entry = self._tables.living(scope, append.session_id, self._clock())
        others = (other.by_id for other in self._tables.entries.values() if other is not entry)
        if append.caller_ids and any(draft.id in by_id for by_id in others for draft in append.messages):
            raise Conflict("a message id", expected="a fresh one", actual="one of another session")
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
