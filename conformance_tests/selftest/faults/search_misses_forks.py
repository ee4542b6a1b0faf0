"""The messages that a fork copied are not indexed.

Copies that go past the code which fills the index.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "searching"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:

        forks = {
            name for (_, name), entry in self._client.database.entries.items() if entry.record.forked_at_seq is not None
        }
        return [hit for hit in await super().search(scope, query) if hit.session_id not in forks]


class TestFault(OverMemory):
    messages = Messages
