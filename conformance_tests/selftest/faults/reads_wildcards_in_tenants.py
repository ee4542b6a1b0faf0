"""A tenant is a pattern in listings: the tenant `*` or `%` sees all.

py-key-value's Redis store: glob characters in a collection's name are not escaped (research, section 3).
"""

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, every_tenant

FAMILY = "isolation"
CLAUSE = "ISO-2"


class Sessions(MemorySessions):
    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:

        if scope.tenant not in ("*", "%"):
            return await super().list(scope, query, order, limit=limit, after=after)
        found: list[SessionRecord] = []
        for each in every_tenant(self._client.database, scope):
            found += await super().list(each, query, order, limit=limit, after=after)
        return found[:limit]


class TestFault(OverMemory):
    sessions = Sessions
