"""A fork copies the messages and begins with an empty state.

A copy of the messages' table, taken for a copy of the session.
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
        record = await super().fork(scope, session_id, at_seq=at_seq, new_id=new_id, ttl=ttl)
        entry = self._tables.entries[scope.tenant, new_id]
        entry.record = replace(record, state="{}")
        return entry.record


class TestFault(OverMemory):
    sessions = Sessions
