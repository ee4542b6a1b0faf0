"""A cursor names a row; once that row is deleted, the listing ends there.

A cursor that is the id of the last row.
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

        if after is not None and (scope.tenant, after.id) not in self._client.database.entries:
            return []
        return await super().list(scope, query, order, limit=limit, after=after)


class TestFault(OverMemory):
    sessions = Sessions
