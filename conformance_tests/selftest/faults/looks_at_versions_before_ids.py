"""`expected_*` is looked at before the ids: the retry of a call that succeeded is refused as stale.

google/adk-python#3717: the writer's own write made it stale.
"""

from agentkeep.errors import Conflict
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        record = self._client.find(scope, append.session_id, self._client.now()).record
        if append.expected_last_seq not in (None, record.last_seq):
            raise Conflict(
                "last_seq", "the session's last seq", expected=append.expected_last_seq, actual=record.last_seq
            )
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
