"""A redacted message's old version stays in the database.

History tables, and PostgreSQL's dead rows in a raw scan.
"""

from agentkeep.records import MessageDraft, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, beside

FAMILY = "erasure"
CLAUSE = "SES-6"


class Messages(MemoryMessages):
    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        old = self._client.find(scope, session_id, self._client.now()).by_id.get(message.id)
        beside(self._client.database).setdefault((scope.tenant, session_id, message.id), []).append(old)
        return await super().replace(scope, session_id, message, expected=expected)


class TestFault(OverMemory):
    messages = Messages
