"""The first search after an append moves its messages into an index, and stores the log again as it read it.

Work that was put off until somebody reads, done without a look at what came between.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "interleaved_searches"
CLAUSE = "ORD-6"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        entries = self._client.database.entries
        read = {key: entry.copy() for key, entry in list(entries.items()) if key[0] == scope.tenant}
        found = await super().search(scope, query)
        for key, entry in read.items():
            if key in entries:
                entries[key] = entry
        return found


class TestFault(OverMemory):
    messages = Messages
