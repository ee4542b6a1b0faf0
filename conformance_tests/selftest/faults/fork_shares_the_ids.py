"""A fork and its parent have one table of message ids: what one appends, the other finds.

Every shallow copy of a session.
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
        entries[scope.tenant, fork.new_id].by_id = entries[scope.tenant, fork.session_id].by_id
        return record


class TestFault(OverMemory):
    sessions = Sessions
