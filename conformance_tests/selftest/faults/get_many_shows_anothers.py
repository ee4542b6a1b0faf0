"""`get_many` does not look at the user of the view.

WHERE id = ANY(…), and nothing else.
"""

from collections.abc import Sequence

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "lookups"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> list[SessionRecord]:
        return await super().get_many(Scope(scope.tenant), session_ids)


class TestFault(OverMemory):
    sessions = Sessions
