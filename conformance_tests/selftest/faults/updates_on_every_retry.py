"""A repeated append sets its `update` again, over what was written since.

A retry that repeats the half of a call which has no key.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find(scope, append.session_id, self._client.now())
        last_seq = entry.record.last_seq
        stored = await super().append(scope, append)
        if append.changes is not None and append.messages and entry.record.last_seq == last_seq:
            entry.touch(self._client.now(), append.changes)
        return stored


class TestFault(OverMemory):
    messages = Messages
