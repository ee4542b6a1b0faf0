"""The tenant filter is missing in `sessions.delete_many`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, every_tenant

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        scopes = every_tenant(self._client.database, scope)
        return sum([await super(Sessions, self).delete_many(each, query, limit=limit) for each in scopes])


class TestFault(OverMemory):
    sessions = Sessions
