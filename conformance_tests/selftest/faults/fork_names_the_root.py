"""A fork of a fork names the first session of all as its parent.

Thread trees that keep a root id alone.
"""

from datetime import timedelta

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(
        self, scope: Scope, session_id: str, *, at_seq: int, new_id: str, ttl: timedelta | None
    ) -> SessionRecord:
        root = (await self.get(scope, session_id)).parent_id or session_id
        record = await super().fork(scope, session_id, at_seq=at_seq, new_id=new_id, ttl=ttl)
        entry = self._tables.entries[scope.tenant, new_id]
        entry.record = replace(record, parent_id=root)
        return entry.record


class TestFault(OverMemory):
    sessions = Sessions
