"""An id is compared with what was first appended under it: redacted text is kept for that, and still answers.

A hash of the content, written once and never with the update.
"""

from agentkeep.records import Append, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, beside

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def replace(
        self, scope: Scope, session_id: str, message_id: str, *, role: str, payload: str, expected: MessageRecord
    ) -> MessageRecord | None:
        replaced = await super().replace(scope, session_id, message_id, role=role, payload=payload, expected=expected)
        beside(self._tables).setdefault((scope.tenant, session_id, message_id), expected)
        return replaced

    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        for draft in append.messages:
            first: MessageRecord | None = beside(self._tables).get((scope.tenant, append.session_id, draft.id))
            if first is not None and first.payload == draft.payload:
                return [first]
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
