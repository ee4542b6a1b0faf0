"""An append's `update` is done before its expectations are looked at: a refused append has changed the session.

google/adk-python#6823: two rows written by two transactions.
"""

from agentkeep.errors import Conflict
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "messages"
CLAUSE = "ORD-6"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find(scope, append.session_id, self._client.now())
        record, labels = entry.record, entry.labels
        if append.changes is not None:
            entry.touch(self._client.now(), append.changes)
            early, entry.record = entry.record, record
            try:
                entry.labels = labels
                return await super().append(scope, append)
            except Conflict:
                entry.record = early
                raise
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
