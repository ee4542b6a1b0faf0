"""The fields of a fork's `update` do not reach the copy's labels: it is found by those of its parent.

The labels were copied after the update.
"""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        record = await super().fork(scope, fork)
        entries = self._client.database.entries
        entries[scope.tenant, fork.new_id].labels = entries[scope.tenant, fork.session_id].labels
        return record


class TestFault(OverMemory):
    sessions = Sessions
