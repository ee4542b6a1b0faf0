"""A fork is not in the metadata index: it has the metadata, and no filter finds it.

Copies that go past the code which fills the index.
"""

from datetime import timedelta

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(
        self, scope: Scope, session_id: str, *, at_seq: int, new_id: str, ttl: timedelta | None
    ) -> SessionRecord:
        record = await super().fork(scope, session_id, at_seq=at_seq, new_id=new_id, ttl=ttl)
        self._tables.entries[scope.tenant, new_id].labels = frozenset()
        return record


class TestFault(OverMemory):
    sessions = Sessions
