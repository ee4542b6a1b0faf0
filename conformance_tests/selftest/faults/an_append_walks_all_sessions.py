"""An append walks through the tenant's sessions to find its own.

PostgreSQL until the first ANALYZE: generic plans made on tiny tables chose the status index.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "growth"
CLAUSE = "COST-4"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        for entry in self._client.visible(Scope(scope.tenant), self._client.now()):
            if entry.record.id == append.session_id:
                break
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
