"""A pop does not move its session in the order of update: the listing has an index of its own.

langgraph-redis PR#203: index entries beside the truth.
"""

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "moving"
CLAUSE = "READ-5"


class Sessions(MemorySessions):
    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:

        found = await super().list(scope, query, order, limit=limit, after=after)
        if order.field == "created_at" or after is not None:
            return found
        return sorted(found, key=lambda record: (record.created_at, record.id), reverse=order.descending)


class TestFault(OverMemory):
    sessions = Sessions
