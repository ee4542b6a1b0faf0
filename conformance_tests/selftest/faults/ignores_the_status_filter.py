"""A filter that the adapter does not know is left out, here `status`: more comes back than was asked for.

langgraph-js PR#2504: the SQLite saver dropped unknown filter keys and listed everything.
"""

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "sessions"
CLAUSE = "ORD-5"


class Sessions(MemorySessions):
    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        return await super().list(scope, replace(query, status=None), order, limit=limit, after=after)


class TestFault(OverMemory):
    sessions = Sessions
