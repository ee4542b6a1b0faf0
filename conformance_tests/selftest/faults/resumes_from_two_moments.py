"""`resume` reads the session and then the messages: an append between makes them disagree.

Two statements, no transaction.
"""

import asyncio

from agentkeep.records import ResumedRecord, Scope
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "lookups"
CLAUSE = "CNT-1"


class Sessions(MemorySessions):
    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        session = await self.get(scope, session_id)
        await asyncio.sleep(0)
        return ResumedRecord(session, (await super().resume(scope, session_id, tail=tail)).messages)


class TestFault(OverMemory):
    sessions = Sessions
