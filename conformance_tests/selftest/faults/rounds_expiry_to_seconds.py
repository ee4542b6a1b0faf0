"""A session expires at a whole second.

Redis's EXPIRE, keyv's ttlGranularity.
"""

from datetime import timedelta

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "ttl"
CLAUSE = "TTL-1"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:

        record = await super().create(scope, draft, or_get=or_get)
        if record.expires_at is not None and draft.ttl is not None and draft.ttl > timedelta(minutes=1):
            entry = self._client.database.entries[scope.tenant, draft.id]
            entry.record = record = replace(record, expires_at=record.expires_at.replace(microsecond=0))
        return record


class TestFault(OverMemory):
    sessions = Sessions
