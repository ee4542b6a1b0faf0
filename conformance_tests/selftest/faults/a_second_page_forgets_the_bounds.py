"""The second page of a listing by `updated_at` takes the page's bound for the filter's own.

A filter of the page that is merged into the filter of the query, by the same name.
"""

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

Rows = list[SessionRecord]

FAMILY = "reading"
CLAUSE = "READ-2"


class Sessions(MemorySessions):
    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> Rows:
        if after is not None and order.field == "updated_at":
            query = replace(query, updated_after=None, updated_before=None)
        return await super().list(scope, query, order, limit=limit, after=after)


class TestFault(OverMemory):
    sessions = Sessions
