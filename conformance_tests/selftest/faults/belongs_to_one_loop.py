"""Used from a second event loop, it fails with asyncio's own error.

sqlalchemy#6409, redis-py#3048: 'attached to a different loop'.
"""

import asyncio

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, beside

FAMILY = "lifecycle"
CLAUSE = "LIFE-3"


class Sessions(MemorySessions):
    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        loop = beside(self._client.database).setdefault("loop", asyncio.get_running_loop())
        if loop is not asyncio.get_running_loop():
            raise RuntimeError("got Future attached to a different loop")
        return await super().get(scope, session_id)

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        beside(self._client.database).setdefault("loop", asyncio.get_running_loop())
        return await super().create(scope, draft, or_get=or_get)


class TestFault(OverMemory):
    sessions = Sessions
