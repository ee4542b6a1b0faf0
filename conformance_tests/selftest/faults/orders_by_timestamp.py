"""A log is read in the order of its messages' times instead of their seqs.

mastra, agno, Rasa PR#13019 (pains 1.1): two messages of one instant change places.
"""

from collections.abc import Sequence

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "messages"
CLAUSE = "ORD-1"


class Messages(MemoryMessages):
    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        found = await super().list(scope, session_id, window)
        return sorted(found, key=lambda message: message.created_at, reverse=window.newest_first)


class TestFault(OverMemory):
    messages = Messages
