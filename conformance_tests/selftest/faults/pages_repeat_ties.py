"""A page begins with the time of the last row, so that rows of that time are met again.

mastra#24237: list paging repeats rows.
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

        found = await super().list(scope, query, order, limit=limit, after=after)
        if after is None:
            return found
        last = self._client.database.entries.get((scope.tenant, after.id))
        return [last.record, *found][:limit] if last is not None and found and limit > 3 else found


class TestFault(OverMemory):
    sessions = Sessions
