"""A message that says what the newest one said is taken for a repetition and dropped.

VRSEN/agency-swarm PR#807: dedupe by content dropped legitimate repeats.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        newest = self._client.find(scope, append.session_id, self._client.now()).log[-1:]
        if newest and [draft.payload for draft in append.messages] == [newest[0].payload]:
            return AppendedRecord(newest, 1, newest[0].seq, 0)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
