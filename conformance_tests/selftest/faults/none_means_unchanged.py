"""A field set to None keeps its old value: the update leaves out what is None.

The COALESCE of many an UPDATE, and pydantic's exclude_none.
"""

from typing import cast

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
        named = {name: value for name, value in changes.items() if value is not None}
        return await super().update(scope, session_id, cast("SessionChanges", named), expected_version=expected_version)


class TestFault(OverMemory):
    sessions = Sessions
