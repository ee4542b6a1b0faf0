"""A listing shows sessions with an empty state.

A listing made cheap by leaving columns out, into the same model.
"""

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "fidelity"
CLAUSE = "FID-1"


class Sessions(MemorySessions):
    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:

        found = await super().list(scope, query, order, limit=limit, after=after)
        return [replace(record, state="{}") for record in found]


class TestFault(OverMemory):
    sessions = Sessions
