"""A redacted message is found by its old words.

LibreChat#14204: the index is written once.
"""

from agentkeep.records import HitRecord, MessageRecord, Scope, SearchQuery
from agentkeep.spi.text import searchable_text
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, beside

FAMILY = "searching"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def replace(
        self, scope: Scope, session_id: str, message_id: str, *, role: str, payload: str, expected: MessageRecord
    ) -> MessageRecord | None:
        replaced = await super().replace(scope, session_id, message_id, role=role, payload=payload, expected=expected)
        beside(self._tables)[scope, session_id, message_id] = searchable_text(expected.payload)
        return replaced

    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        hits = await super().search(scope, query)
        for (owner, session_id, message_id), text in beside(self._tables).items():
            if owner == scope and query.text and query.text in text:
                message = await self.get(scope, session_id, message_id)
                hits.append(HitRecord(session_id=session_id, message=message, score=0, highlights=[]))
        return hits


class TestFault(OverMemory):
    messages = Messages
