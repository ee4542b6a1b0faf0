"""A touch reckons the new end from the process' clock, and all else is dated by the one that the adapter was given."""

from datetime import UTC, datetime, timedelta

import msgspec
from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import Memory, OverMemory

FAMILY = "clocks"
CLAUSE = "TTL-1"


class Sessions(MemorySessions):
    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        record = await super().touch(scope, session_id, ttl=ttl)
        if ttl is None:
            return record
        entry = self._client.find(scope, session_id, self._client.now())
        ends_at = datetime.now(UTC) + ttl
        entry.record = msgspec.structs.replace(entry.record, ends_at=ends_at, expires_at=ends_at)
        return entry.record


class Adapter(Memory):
    """In this module, so that the module's clock is wrong too."""


class TestFault(OverMemory):
    adapter = Adapter
    sessions = Sessions
