"""A cancelled call leaves a future with an error that nobody asks for.

PostgreSQL over a caller's asyncpg engine: "Future exception was never retrieved" in the log.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "noise"
CLAUSE = "FLT-3"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            asyncio.get_running_loop().create_future().set_exception(OSError("the connection is gone"))
            raise
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
