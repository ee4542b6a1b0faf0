"""A search finds the messages of expired sessions, until they are swept.

lg#6686: search returned what its TTL had ended.
"""

from datetime import UTC, datetime

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.client import Client
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "searching"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:

        earlier = MemoryMessages(Client(self._client.database, lambda: datetime.min.replace(tzinfo=UTC)))
        return await earlier.search(scope, query)


class TestFault(OverMemory):
    messages = Messages
