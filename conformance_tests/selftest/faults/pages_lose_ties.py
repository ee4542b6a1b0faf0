"""A page begins behind the time of the last row, so that the other rows of that time are lost.

mastra#24237: pages skip rows that share one createdAt; 'theoretical', said PR#14022.
"""

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "order_paging"
CLAUSE = "READ-2"


class Sessions(MemorySessions):
    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:

        if after is not None:
            after = SessionPosition(after.at, "" if order.descending else "\U0010ffff" * 70)
        return await super().list(scope, query, order, limit=limit, after=after)


class TestFault(OverMemory):
    sessions = Sessions
