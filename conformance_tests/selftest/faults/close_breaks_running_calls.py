"""A call that runs while its instance is closed ends with the driver's own error.

lg#4214: PoolClosed, out of the middle of a turn.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import Memory, OverMemory

FAMILY = "lifecycle"
CLAUSE = "ERR-1"


class Messages(MemoryMessages):
    closed = False

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        await asyncio.sleep(0)
        if self.closed:
            raise RuntimeError("the pool is closed")
        return await super().append(scope, append)


class Adapter(Memory):
    async def open(self) -> None:
        vars(self.messages)["closed"] = False

    async def close(self) -> None:
        vars(self.messages)["closed"] = True


class TestFault(OverMemory):
    adapter = Adapter
    messages = Messages
