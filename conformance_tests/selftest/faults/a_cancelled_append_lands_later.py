"""An append goes on after its caller was cancelled, and lands when the caller believes that it did not.

`shield` around a queue's worker, without waiting for its end.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "several_callers"
CLAUSE = "FLT-3"

_running: set[asyncio.Task[AppendedRecord]] = set()


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        task = asyncio.ensure_future(self._append_soon(scope, append))
        _running.add(task)
        task.add_done_callback(_running.discard)
        return await asyncio.shield(task)

    async def _append_soon(self, scope: Scope, append: Append) -> AppendedRecord:
        await asyncio.sleep(0.01)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
