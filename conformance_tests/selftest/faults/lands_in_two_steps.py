"""The messages of an append land in one step and its session fields in another: cancelled between, half is there.

google/adk-python#6823, openai-agents: two commits a turn.
"""

import asyncio

from agentkeep.records import Append, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.tables import changed
from msgspec.structs import replace
from over import OverMemory

FAMILY = "cancellation"
CLAUSE = "ORD-6"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:

        if append.changes is None or append.expected_version is not None:
            return await super().append(scope, append)
        entry = self._tables.living(scope, append.session_id, self._clock())
        held = entry.record.message_count
        stored = await super().append(scope, replace(append, changes=None))
        if entry.record.message_count != held or not append.messages:
            await asyncio.sleep(0)
            changed(entry, self._clock(), append.changes)
        return stored


class TestFault(OverMemory):
    messages = Messages
