"""The tenant filter is missing in `messages.watch`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from collections.abc import AsyncIterator

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"
HANGS = True


class Messages(MemoryMessages):
    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        async for record in super().watch(
            of_anyone(self._client.database, scope, session_id), session_id, after_seq=after_seq
        ):
            yield record


class TestFault(OverMemory):
    messages = Messages
