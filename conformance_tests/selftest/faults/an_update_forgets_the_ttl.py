"""An update makes a session live for ever: the key is written anew, without its expiry.

Redis's SET without KEEPTTL.
"""

from agentkeep.records import Scope, SessionChanges, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "ttl"
CLAUSE = "TTL-1"


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

        await super().update(scope, session_id, changes, add=add, expected_version=expected_version)
        entry = self._client.database.entries[scope.tenant, session_id]
        entry.record = replace(entry.record, expires_at=None)
        return entry.record


class TestFault(OverMemory):
    sessions = Sessions
