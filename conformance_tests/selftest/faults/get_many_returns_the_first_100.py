"""`get_many` returns 100 sessions at most.

A batch limit of the driver.
"""

from collections.abc import Sequence

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "lookups"
CLAUSE = "READ-1"


class Sessions(MemorySessions):
    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> list[SessionRecord]:
        return (await super().get_many(scope, session_ids))[:100]


class TestFault(OverMemory):
    sessions = Sessions
