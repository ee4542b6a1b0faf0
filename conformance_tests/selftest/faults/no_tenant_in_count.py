"""The tenant filter is missing in `sessions.count`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, every_tenant

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def count(self, scope: Scope, query: SessionQuery) -> int:
        scopes = every_tenant(self._client.database, scope)
        return sum([await super(Sessions, self).count(each, query) for each in scopes])


class TestFault(OverMemory):
    sessions = Sessions
