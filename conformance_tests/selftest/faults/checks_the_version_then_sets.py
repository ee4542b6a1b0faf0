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
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:

        check_version(self._client.find(scope, session_id, self._client.now()), expected_version)
        await asyncio.sleep(0)
        return await super().update(scope, session_id, changes, add=add, expected_version=None)


class TestFault(OverMemory):
    sessions = Sessions
