"""The next seq is read first and used later: two appends at once get one seq.

`max(seq) + 1`; Rasa PR#13019, and the race of research E5.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "concurrency"
CLAUSE = "ORD-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        entry = self._client.find(scope, append.session_id, self._client.now())
        last_seq = entry.record.last_seq
        await asyncio.sleep(0)
        entry.record = replace(entry.record, last_seq=last_seq)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
