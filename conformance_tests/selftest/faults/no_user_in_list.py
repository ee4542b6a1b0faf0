"""A user's view lists the whole tenant's sessions.

A listing written before there were users.
"""

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:

        return await super().list(Scope(scope.tenant), query, order, limit=limit, after=after)


class TestFault(OverMemory):
    sessions = Sessions
