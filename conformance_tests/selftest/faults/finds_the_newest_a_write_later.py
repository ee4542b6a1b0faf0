"""A search does not see the newest message of a session: it is indexed with the next write.

haystack PR#2613, ml-commons#1883: OpenSearch's refresh, and users who add sleep().
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "searching"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:

        newest = {entry.log[-1].id for entry in self._client.database.entries.values() if len(entry.log) == 1}
        return [hit for hit in await super().search(scope, query) if hit.message.id not in newest]


class TestFault(OverMemory):
    messages = Messages
