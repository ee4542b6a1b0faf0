"""A user's view that filters by a user counts that user's sessions, whoever it is.

The filter replaced the scope in the query.
"""

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "views"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def count(self, scope: Scope, query: SessionQuery) -> int:
        return await super().count(Scope(scope.tenant) if query.user_id else scope, query)


class TestFault(OverMemory):
    sessions = Sessions
