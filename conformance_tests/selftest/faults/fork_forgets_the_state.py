"""A fork copies the messages and begins with an empty state.

A copy of the messages' table, taken for a copy of the session.
"""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        record = await super().fork(scope, fork)
        entry = self._client.database.entries[scope.tenant, fork.new_id]
        entry.record = replace(record, state="{}")
        return entry.record


class TestFault(OverMemory):
    sessions = Sessions
