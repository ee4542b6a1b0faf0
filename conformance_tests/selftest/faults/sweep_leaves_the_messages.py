"""A sweep removes the expired sessions and leaves their messages in the database.

langgraph-redis PR#59: old blobs stay.
"""

from agentkeep.records import Scope
from over import Memory, OverMemory, beside

FAMILY = "erasure"
CLAUSE = "TTL-2"


class Adapter(Memory):
    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        before = dict(self._client.database.entries)
        swept = await super().sweep(scope, limit=limit)
        for key in before.keys() - self._client.database.entries.keys():
            beside(self._client.database)[key] = before[key].log
        return swept


class TestFault(OverMemory):
    adapter = Adapter
