"""The tenant filter is missing in `sessions.list`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, every_tenant

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:

        found: list[SessionRecord] = []
        for each in every_tenant(self._client.database, scope):
            found += await super().list(each, query, order, limit=limit, after=after)
        return found[:limit]


class TestFault(OverMemory):
    sessions = Sessions
