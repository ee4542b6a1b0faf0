"""`truncate` and `trim` remove at most 1,000 messages.

DynamoDB's and MongoDB's batches: what does not fit in one stays.
"""

from agentkeep.records import Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "order_paging"
CLAUSE = "READ-1"


class Messages(MemoryMessages):
    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        entry = self._client.find(scope, session_id, self._client.now())
        behind = [message.seq for message in entry.log if message.seq > after_seq][:-1_000]
        return await super().truncate(scope, session_id, after_seq=behind[-1] if behind else after_seq)

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        held = len(self._client.find(scope, session_id, self._client.now()).log)
        return await super().trim(scope, session_id, keep_last=max(keep_last, held - 1_000))


class TestFault(OverMemory):
    messages = Messages
