"""A search sees the messages whose content is one text; parts and tool calls are not looked at.

owui#25110: LIKE over the column that happened to hold the text.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "searching"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:

        hits = await super().search(scope, query)
        return [hit for hit in hits if '"content":"' in hit.message.payload]


class TestFault(OverMemory):
    messages = Messages
