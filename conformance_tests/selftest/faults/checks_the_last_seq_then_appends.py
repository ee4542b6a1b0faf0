"""`expected_last_seq` is compared in a step of its own: several stale writers land.

google/adk-python#4751: check, reload and continue.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "concurrency"
CLAUSE = "ORD-4"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        entry = self._client.find(scope, append.session_id, self._client.now())
        last_seq = entry.record.last_seq
        if append.expected_last_seq not in (None, last_seq):
            return await super().append(scope, append)
        await asyncio.sleep(0)
        return await super().append(scope, replace(append, expected_last_seq=None))


class TestFault(OverMemory):
    messages = Messages
