"""A cursor is a number of rows to skip: rows that come and go before it move all the others.

mastra#6787, google/adk-python#6272: OFFSET.
"""

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, beside

FAMILY = "order_paging"
CLAUSE = "READ-2"


class Sessions(MemorySessions):
    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:

        counts: dict[SessionPosition, int] = beside(self._client.database)
        start = 0 if after is None else counts.get(after, 0)
        found = (await super().list(scope, query, order, limit=1_000_000, after=None))[start : start + limit]
        for n, record in enumerate(found, start + 1):
            counts[SessionPosition(getattr(record, order.field), record.id)] = n
        return found


class TestFault(OverMemory):
    sessions = Sessions
