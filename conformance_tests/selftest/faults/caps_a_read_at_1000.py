"""A read holds at most 1,000 messages, and so never says that there are more than 1,000.

google/adk-python#3559, mastra#19550: only the first page, and hasMore is false.
"""

from collections.abc import Sequence

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "order_paging"
CLAUSE = "READ-1"


class Messages(MemoryMessages):
    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        return await super().list(scope, session_id, replace(window, limit=min(window.limit, 1_000)))


class TestFault(OverMemory):
    messages = Messages
