"""`update` reads the session and writes all of its fields: another field's update at the same time is lost.

agno#7479, mastra#24756: read, change, write back.
"""

import asyncio

from agentkeep.records import Scope, SessionChanges, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "concurrency"
CLAUSE = "SES-2"


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

        record = await self.get(scope, session_id)
        await asyncio.sleep(0)
        if expected_version is None:
            names = ("title", "status", "current_route", "current_step", "state")
            changes = SessionChanges(**{name: getattr(record, name) for name in names}) | changes
        return await super().update(scope, session_id, changes, add=add, expected_version=expected_version)


class TestFault(OverMemory):
    sessions = Sessions
