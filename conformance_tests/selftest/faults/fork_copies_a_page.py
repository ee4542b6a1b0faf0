"""A fork copies the first 1,000 messages.

google/adk-python#3559, mastra#19550: only the first page was read.
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
        return await super().fork(scope, session_id, at_seq=min(at_seq, 1_000), new_id=new_id, ttl=ttl)


class TestFault(OverMemory):
    sessions = Sessions
