"""A fork at seq 0 copies the whole log: 0 is taken for 'not given'.

`at_seq or last_seq`, the classic.
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
        last_seq = (await self.get(scope, session_id)).last_seq
        return await super().fork(scope, session_id, at_seq=at_seq or last_seq, new_id=new_id, ttl=ttl)


class TestFault(OverMemory):
    sessions = Sessions
