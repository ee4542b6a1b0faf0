"""A deleted session goes on being counted: its entry in the metadata index stays.

langgraph-redis PR#203: index entries were orphaned.
"""

from agentkeep.clock import Clock
from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.sessions import MemorySessions
from agentkeep_memory.tables import Tables
from over import OverMemory

FAMILY = "sessions"
CLAUSE = "SES-6"


class Sessions(MemorySessions):
    def __init__(self, tables: Tables, clock: Clock) -> None:
        super().__init__(tables, clock)
        self._index: dict[str, set[str]] = {}

    async def delete(self, scope: Scope, session_id: str) -> bool:
        entry = self._tables.entries.get((scope.tenant, session_id))
        deleted = await super().delete(scope, session_id)
        if deleted and entry is not None:
            for label in entry.labels:
                self._index.setdefault(label, set()).add(session_id)
        return deleted

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        orphans = len(self._index.get(query.labels[0], ())) if query.labels else 0
        return orphans + await super().count(scope, query)


class TestFault(OverMemory):
    sessions = Sessions
