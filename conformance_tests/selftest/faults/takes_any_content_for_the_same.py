"""A stored id is answered with what is stored, whatever content came with it: the new content is lost.

INSERT … ON CONFLICT DO NOTHING.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        by_id = self._client.find(scope, append.session_id, self._client.now()).by_id
        same = [
            replace(draft, content_key=by_id[draft.id].content_key) if draft.id in by_id else draft
            for draft in append.messages
        ]
        return await super().append(scope, replace(append, messages=same))


class TestFault(OverMemory):
    messages = Messages
