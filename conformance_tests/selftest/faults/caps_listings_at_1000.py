"""A listing holds at most 1,000 rows, and so never says that there are more than 1,000.

ai-memory-mcp#1877: one backend clamps at 1,000, another does not.
"""

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "order_paging"
CLAUSE = "READ-1"


class Sessions(MemorySessions):
    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:

        return await super().list(scope, query, order, limit=min(limit, 1_000), after=after)


class TestFault(OverMemory):
    sessions = Sessions
