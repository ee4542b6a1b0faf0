"""A redacted message's old version stays in the database.

History tables, and PostgreSQL's dead rows in a raw scan.
"""

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, beside

FAMILY = "erasure"
CLAUSE = "SES-6"


class Messages(MemoryMessages):
    async def replace(
        self, scope: Scope, session_id: str, message_id: str, *, role: str, payload: str, expected: MessageRecord
    ) -> MessageRecord | None:
        beside(self._tables).setdefault((scope.tenant, session_id, message_id), []).append(expected)
        return await super().replace(scope, session_id, message_id, role=role, payload=payload, expected=expected)


class TestFault(OverMemory):
    messages = Messages
