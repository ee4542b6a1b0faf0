"""A fork of the whole log is the parent's log: both grow together, and redaction in one is in both.

Every copy by reference, as in LangGraph's planted faults (E2).
"""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        record = await super().fork(scope, fork)
        parent, copy = (
            self._client.database.entries[scope.tenant, fork.session_id],
            self._client.database.entries[scope.tenant, fork.new_id],
        )
        if len(copy.log) == len(parent.log):
            copy.log = parent.log
        return record


class TestFault(OverMemory):
    sessions = Sessions
