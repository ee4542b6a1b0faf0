"""A stored message that can't be read is replaced by the next one of its id.

openai-agents#3171: an append over a corrupt history was the end of the history.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "errors"
CLAUSE = "ERR-4"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        entry = self._client.find(scope, append.session_id, self._client.now())
        for draft in append.messages:
            stored = entry.by_id.get(draft.id)
            if stored is not None and "no object" in stored.payload:
                entry.log.remove(entry.by_id.pop(draft.id))
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
