"""A fork under an id that is taken replaces the session there.

A copy written by upsert.
"""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        if fork.new_id != fork.session_id:
            self._client.database.entries.pop((scope.tenant, fork.new_id), None)
        return await super().fork(scope, fork)


class TestFault(OverMemory):
    sessions = Sessions
