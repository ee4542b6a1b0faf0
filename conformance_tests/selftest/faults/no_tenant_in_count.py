"""The tenant filter is missing in `sessions.count`.

Flowise PR#1497, and every multi-tenant breach: one query forgot the tenant.
"""

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, every_tenant

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def count(self, scope: Scope, query: SessionQuery) -> int:
        scopes = every_tenant(self._tables, scope)
        return sum([await super(Sessions, self).count(each, query) for each in scopes])


class TestFault(OverMemory):
    sessions = Sessions
