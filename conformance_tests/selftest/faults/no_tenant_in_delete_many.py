"""The tenant filter is missing in `sessions.delete_many`.

Flowise PR#1497, and every multi-tenant breach: one query forgot the tenant.
"""

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, every_tenant

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        scopes = every_tenant(self._tables, scope)
        return sum([await super(Sessions, self).delete_many(each, query, limit=limit) for each in scopes])


class TestFault(OverMemory):
    sessions = Sessions
