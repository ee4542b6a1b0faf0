"""Every update makes the session as young as itself.

openai-agents PR#3202, mastra PR#13072: created_at was written on each save.
"""

from agentkeep.records import Scope, SessionChanges, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "sessions"
CLAUSE = "SES-3"


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
        record = await super().update(scope, session_id, changes, add=add, expected_version=expected_version)
        entry = self._client.database.entries[scope.tenant, session_id]
        entry.record = replace(record, created_at=record.updated_at)
        return entry.record


class TestFault(OverMemory):
    sessions = Sessions
