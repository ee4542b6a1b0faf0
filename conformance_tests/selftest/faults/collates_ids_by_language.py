"""Rows of one time stand in the order of a language, not of their ids' bytes: upper and lower case side by side.

PostgreSQL's default collation, where a page ends between 'a' and 'B'.
"""

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "order_paging"
CLAUSE = "READ-2"


class Sessions(MemorySessions):
    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:

        found = await super().list(scope, query, order, limit=1_000_000, after=None)
        found.sort(
            key=lambda record: (getattr(record, order.field), record.id.casefold(), record.id), reverse=order.descending
        )
        start = 0 if after is None else 1 + next((n for n, record in enumerate(found) if record.id == after.id), -1)
        return found[start : start + limit]


class TestFault(OverMemory):
    sessions = Sessions
