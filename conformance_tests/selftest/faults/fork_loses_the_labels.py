"""A fork is not in the metadata index: it has the metadata, and no filter finds it.

Copies that go past the code which fills the index.
"""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        record = await super().fork(scope, fork)
        self._client.database.entries[scope.tenant, fork.new_id].labels = frozenset()
        return record


class TestFault(OverMemory):
    sessions = Sessions
