"""A watcher meets the messages of all of its tenant's sessions.

One channel for a tenant, and nobody filters.
"""

from collections.abc import AsyncIterator

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "watching"
CLAUSE = "WATCH-1"


class Messages(MemoryMessages):
    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        for (tenant, name), entry in list(self._client.database.entries.items()):
            if tenant == scope.tenant and name != session_id:
                for record in entry.log:
                    yield record
        async for record in super().watch(scope, session_id, after_seq=after_seq):
            yield record
            for (tenant, name), entry in list(self._client.database.entries.items()):
                if tenant == scope.tenant and name != session_id and entry.log:
                    yield entry.log[-1]


class TestFault(OverMemory):
    messages = Messages
