"""A call that is refused does not give its connection back: the pool is empty after a few refusals.

Chainlit#2111, google/adk-python#3328: QueuePool limit reached, because sessions were not rolled back.
"""

from agentkeep.errors import MessageNotFound, Unavailable
from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "faults"
CLAUSE = "FLT-4"

POOL = 3


class Messages(MemoryMessages):
    taken = 0

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        if self.taken >= POOL:
            raise Unavailable("no connection became free")
        try:
            return await super().get(scope, session_id, message_id)
        except MessageNotFound:
            self.taken += 1
            raise


class TestFault(OverMemory):
    messages = Messages
