"""The ids of a batch are looked for in a step of their own: a retry beside the first call doubles it.

MemOS#145: the client had given up, the server wrote.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "concurrency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        entry = self._client.find(scope, append.session_id, self._client.now())
        if any(draft.id in entry.by_id for draft in append.messages):
            return await super().append(scope, append)
        await asyncio.sleep(0)
        fresh = [replace(draft, id=f"{draft.id}~") for draft in append.messages if draft.id in entry.by_id]
        stored = await super().append(scope, replace(append, messages=fresh or append.messages))
        return stored._replace(messages=[replace(each, id=each.id.rstrip("~")) for each in stored.messages])


class TestFault(OverMemory):
    messages = Messages
