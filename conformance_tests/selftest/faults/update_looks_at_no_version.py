"""`update` takes `expected_version` and does not look at it: the last writer wins.

agno#9450: concurrent saves of team sessions are last-writer-wins.
"""

from agentkeep.records import Scope, SessionChanges, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "sessions"
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
        return await super().update(scope, session_id, changes, add=add, expected_version=None)


class TestFault(OverMemory):
    sessions = Sessions
