"""`pop` reads the newest message and then removes the newest: two callers get one message, and two go.

A SELECT and then a DELETE, without a transaction around both.
"""

import asyncio

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "concurrency"
CLAUSE = "CNT-1"


class Messages(MemoryMessages):
    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        log = self._client.find(scope, session_id, self._client.now()).log
        newest = log[-1] if log else None
        await asyncio.sleep(0)
        await super().pop(scope, session_id)
        return newest


class TestFault(OverMemory):
    messages = Messages
