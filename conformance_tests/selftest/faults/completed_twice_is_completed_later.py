"""Completing a completed session moves its `completed_at`.

The time is set wherever the status is.
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
        if changes.get("status") == "completed":
            entry = self._client.database.entries[scope.tenant, session_id]
            entry.record = record = replace(record, completed_at=record.updated_at)
        return record


class TestFault(OverMemory):
    sessions = Sessions
