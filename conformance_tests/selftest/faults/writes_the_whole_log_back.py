"""The log is read, appended to and written back whole: what another wrote in between is lost.

agno#7479, owui#28742, mastra#17298.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "concurrency"
CLAUSE = "ORD-5"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        entry = self._client.find(scope, append.session_id, self._client.now())
        log = list(entry.log)
        await asyncio.sleep(0)
        stored = await super().append(scope, append)
        if append.truncate_after is None and append.keep_last is None:
            kept = {message.id for message in [*log, *stored.messages]}
            entry.log[:] = [message for message in entry.log if message.id in kept]
        return stored


class TestFault(OverMemory):
    messages = Messages
