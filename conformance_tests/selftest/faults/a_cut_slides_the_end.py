"""Cutting the log counts as use: the session lives longer than its idle time says.

One function for all writes.
"""

from agentkeep.records import Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "stateful"
CLAUSE = "TTL-3"


class Messages(MemoryMessages):
    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        removed = await super().trim(scope, session_id, keep_last=keep_last)
        self._client.find(scope, session_id, self._client.now()).touch(self._client.now(), slide=True)
        return removed


class TestFault(OverMemory):
    messages = Messages
