"""A fork begins with no counters.

A column that was added later than the copy's statement.
"""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "counters"
CLAUSE = "CNT-2"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        record = await super().fork(scope, fork)
        entry = self._client.database.entries[scope.tenant, fork.new_id]
        entry.record = replace(record, counters={})
        return entry.record


class TestFault(OverMemory):
    sessions = Sessions
