"""An id is compared with what was first appended under it: redacted text is kept for that, and still answers.

A hash of the content, written once and never with the update.
"""

from agentkeep.records import Append, AppendedRecord, MessageDraft, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, beside

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        old = self._client.find(scope, session_id, self._client.now()).by_id.get(message.id)
        beside(self._client.database).setdefault((scope.tenant, session_id, message.id), old)
        return await super().replace(scope, session_id, message, expected=expected)

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        for draft in append.messages:
            first: MessageRecord | None = beside(self._client.database).get((scope.tenant, append.session_id, draft.id))
            if first is not None and first.payload == draft.payload:
                return AppendedRecord([first], 1, first.seq, 0)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
