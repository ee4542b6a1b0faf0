"""The messages of an append land in one step and its session fields in another: cancelled between, half is there.

google/adk-python#6823, openai-agents: two commits a turn.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "cancellation"
CLAUSE = "ORD-6"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        if append.changes is None or append.expected_version is not None:
            return await super().append(scope, append)
        entry = self._client.find(scope, append.session_id, self._client.now())
        held = entry.record.message_count
        stored = await super().append(scope, replace(append, changes=None))
        if entry.record.message_count != held or not append.messages:
            await asyncio.sleep(0)
            entry.touch(self._client.now(), append.changes)
        return stored


class TestFault(OverMemory):
    messages = Messages
