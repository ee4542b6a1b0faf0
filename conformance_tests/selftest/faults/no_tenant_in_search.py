"""The tenant filter is missing in `messages.search`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, every_tenant

FAMILY = "searching"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        if query.session_id is not None:
            return await super().search(scope, query)
        scopes = every_tenant(self._client.database, scope)
        return [hit for each in scopes for hit in await super(Messages, self).search(each, query)]


class TestFault(OverMemory):
    messages = Messages
