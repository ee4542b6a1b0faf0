"""`update` compares the version and sets the fields in two steps: two writers of one version both win.

agno#9450; every if followed by an UPDATE.
"""

import asyncio

from agentkeep.records import Scope, SessionChanges, SessionRecord
from agentkeep_memory.sessions import MemorySessions, check_version
from over import OverMemory

FAMILY = "concurrency"
CLAUSE = "SES-2"


class Sessions(MemorySessions):
    async def update(
        self, scope: Scope, session_id: str, changes: SessionChanges, *, expected_version: int | None
    ) -> SessionRecord:

        check_version(self._tables.living(scope, session_id, self._clock()), expected_version)
        await asyncio.sleep(0)
        return await super().update(scope, session_id, changes, expected_version=None)


class TestFault(OverMemory):
    sessions = Sessions
