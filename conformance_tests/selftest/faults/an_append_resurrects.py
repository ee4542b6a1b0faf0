"""An append that began before a delete puts the session back.

Chainlit#2789, every write-back of a document that was read.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "concurrency"
CLAUSE = "SES-4"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        entry = self._client.find(scope, append.session_id, self._client.now())
        await asyncio.sleep(0)
        self._client.database.entries.setdefault((scope.tenant, append.session_id), entry)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
