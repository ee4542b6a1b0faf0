"""An append's `update` is done before its expectations are looked at: a refused append has changed the session.

google/adk-python#6823: two rows written by two transactions.
"""

from agentkeep.errors import Conflict
from agentkeep.records import Append, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.tables import changed
from over import OverMemory

FAMILY = "messages"
CLAUSE = "ORD-6"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        entry = self._tables.living(scope, append.session_id, self._clock())
        record, labels = entry.record, entry.labels
        if append.changes is not None:
            changed(entry, self._clock(), append.changes)
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
