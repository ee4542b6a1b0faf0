"""A touch reads its session first, and stores it again if it then finds none, because the session ended meanwhile."""

from datetime import timedelta

from agentkeep import SessionNotFound
from agentkeep.records import Scope, SessionRecord
from msgspec.structs import replace
from over_wire import OverWire
from wire.repositories import WireSessions

FAMILY = "held_commits"
CLAUSE = "TTL-1"


class Sessions(WireSessions):
    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        found = await self.get(scope, session_id)
        try:
            return await super().touch(scope, session_id, ttl=ttl)
        except SessionNotFound:
            again = replace(found, message_count=0, ends_at=None, idle_ttl=None, expires_at=None)
            await self.restore(scope, again, (), [])
            return again


class TestFault(OverWire):
    sessions = Sessions
