"""A fork of a fork names the first session of all as its parent.

Thread trees that keep a root id alone.
"""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        root = (await self.get(scope, fork.session_id)).parent_id or fork.session_id
        record = await super().fork(scope, fork)
        entry = self._client.database.entries[scope.tenant, fork.new_id]
        entry.record = replace(record, parent_id=root)
        return entry.record


class TestFault(OverMemory):
    sessions = Sessions
