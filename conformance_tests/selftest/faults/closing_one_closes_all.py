"""Closing one instance closes the pool that all others use.

n8n#12653: one memory node ended the shared pool, and all were broken until a restart.
"""

from agentkeep.errors import Closed
from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import Memory, OverMemory, beside

FAMILY = "lifecycle"
CLAUSE = "LIFE-2"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        if "closed" in beside(self._client.database):
            raise Closed("the pool is closed")
        return await super().create(scope, draft, or_get=or_get)


class Adapter(Memory):
    async def open(self) -> None:
        beside(self._client.database).pop("closed", None)

    async def close(self) -> None:
        beside(self._client.database)["closed"] = True


class TestFault(OverMemory):
    adapter = Adapter
    sessions = Sessions
