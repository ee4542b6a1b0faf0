"""An update that does not name the title empties it: the whole row is written from the call's fields.

mastra PR#13072, openai-agents PR#3202: an upsert reset fields that the caller did not name.
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
        return await super().update(
            scope, session_id, SessionChanges(title=None) | changes, expected_version=expected_version
        )


class TestFault(OverMemory):
    sessions = Sessions
