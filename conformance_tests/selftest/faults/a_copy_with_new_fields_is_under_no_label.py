"""A fork that sets other fields than its metadata is listed under none of its metadata."""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "stateful"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        record = await super().fork(scope, fork)
        if fork.changes is not None and "labels" not in fork.changes:
            self._client.find(scope, fork.new_id, self._client.now()).labels = frozenset()
        return record


class TestFault(OverMemory):
    sessions = Sessions
