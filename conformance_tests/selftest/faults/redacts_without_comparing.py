"""A redaction writes what it made of the message that it read, whatever others made of it since.

Issue 12: the compare-and-swap of `replace` can be missing.
"""

import asyncio

from agentkeep.records import MessageDraft, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "lookups"
CLAUSE = "SES-2"


class Messages(MemoryMessages):
    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        await asyncio.sleep(0)
        entry = self._client.find(scope, session_id, self._client.now())
        current = entry.by_id[message.id].content_key if message.id in entry.by_id else expected
        return await super().replace(scope, session_id, message, expected=current)


class TestFault(OverMemory):
    messages = Messages
