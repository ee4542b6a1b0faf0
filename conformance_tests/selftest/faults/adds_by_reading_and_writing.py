"""A counter is read, and written a moment later: of two concurrent additions one is lost.

Issue 10: ten concurrent turns that each add 1 left 1.
"""

import asyncio

from agentkeep.records import Scope, SessionChanges, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "counters"
CLAUSE = "CNT-2"


class Sessions(MemorySessions):
    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        if not add or changes:
            return await super().update(scope, session_id, changes, add=add, expected_version=expected_version)
        before = (await self.get(scope, session_id)).counters
        await asyncio.sleep(0)
        entry = self._client.find(scope, session_id, self._client.now())
        entry.record = replace(entry.record, counters=before)
        return await super().update(scope, session_id, changes, add=add, expected_version=expected_version)


class TestFault(OverMemory):
    sessions = Sessions
