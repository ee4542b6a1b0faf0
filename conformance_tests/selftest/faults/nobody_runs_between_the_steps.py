"""The steps of a removal follow one another, and nobody else gets a turn.

The memory adapter did not wait for anything between its steps.
"""

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "steps"
CLAUSE = "COST-3"


class Sessions(MemorySessions):
    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        try:
            super().delete_many(scope, query, limit=limit).send(None)
        except StopIteration as done:
            return done.value
        return limit if await self.count(scope, query) else 0


class TestFault(OverMemory):
    sessions = Sessions
