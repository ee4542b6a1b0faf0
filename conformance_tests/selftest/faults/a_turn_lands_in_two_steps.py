"""The messages of a turn land, and then its fields, with a wait in between.

Two statements without a transaction.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "loops"
CLAUSE = "ORD-6"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        if append.changes is None or append.truncate_after is None:
            return await super().append(scope, append)
        first = await super().append(scope, replace(append, changes=None))
        if first.new:
            await asyncio.sleep(0.02)
            await super().append(
                scope, Append(session_id=append.session_id, messages=(), may_be_stored=False, changes=append.changes)
            )
        return first


class TestFault(OverMemory):
    messages = Messages
