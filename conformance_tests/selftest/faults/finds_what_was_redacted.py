"""A redacted message is found by its old words.

LibreChat#14204: the index is written once.
"""

from agentkeep.records import HitRecord, MessageDraft, MessageRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, beside

FAMILY = "searching"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        entry = self._client.find(scope, session_id, self._client.now())
        if message.id in entry.by_id:
            beside(self._client.database)[scope, session_id, message.id] = entry.by_id[message.id].search_text
        return await super().replace(scope, session_id, message, expected=expected)

    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        hits = await super().search(scope, query)
        for (owner, session_id, message_id), text in beside(self._client.database).items():
            if owner == scope and all(word in text for word in query.words):
                hits.append(HitRecord(session_id, await self.get(scope, session_id, message_id), 0))
        return hits


class TestFault(OverMemory):
    messages = Messages
