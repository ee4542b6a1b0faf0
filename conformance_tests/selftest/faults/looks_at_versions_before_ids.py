"""`expected_*` is looked at before the ids: the retry of a call that succeeded is refused as stale.

google/adk-python#3717: the writer's own write made it stale.
"""

from agentkeep.errors import Conflict
from agentkeep.records import Append, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        record = self._tables.living(scope, append.session_id, self._clock()).record
        if append.expected_last_seq not in (None, record.last_seq):
            raise Conflict("the session's last seq", expected=append.expected_last_seq, actual=record.last_seq)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
