"""`stored="skip"` still refuses a stored id with other content.

The check stood before the branch.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep.spi.outcomes import message_id_conflict
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "skipping"
CLAUSE = "IDEM-3"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find_any(scope, append.session_id, self._client.now())
        for draft in append.messages if entry and append.stored == "skip" else ():
            stored = entry.by_id.get(draft.id) if entry else None
            if stored is not None and stored.content_key != draft.content_key:
                raise message_id_conflict(draft.id)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
