"""A fork ends before `at_seq` instead of at it.

An off-by-one at the bound.
"""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        record = await super().fork(scope, fork)
        entry = self._client.database.entries[scope.tenant, fork.new_id]
        if entry.log and entry.log[-1].seq == fork.at_seq:
            del entry.by_id[entry.log.pop().id]
        return record


class TestFault(OverMemory):
    sessions = Sessions
