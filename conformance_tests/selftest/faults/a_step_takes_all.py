"""A step removes all that there is, whatever it was asked for.

A DELETE without a LIMIT.
"""

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "steps"
CLAUSE = "COST-3"


class Sessions(MemorySessions):
    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        return await super().delete_many(scope, query, limit=2**40)


class TestFault(OverMemory):
    sessions = Sessions
