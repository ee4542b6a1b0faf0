"""A listing shows what was there when another caller's listing began.

A refresh that is under way is shared with whoever comes while it runs.
"""

import asyncio

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

Rows = list[SessionRecord]

FAMILY = "own_writes"
CLAUSE = "ORD-5"


class Sessions(MemorySessions):
    under_way: asyncio.Future[None] | None = None
    seen: frozenset[str] = frozenset()

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> Rows:
        found = await super().list(scope, query, order, limit=limit, after=after)
        if self.under_way is None:
            self.under_way = asyncio.ensure_future(self._refresh(scope, order))
        await asyncio.shield(self.under_way)
        return [each for each in found if each.id in self.seen]

    async def _refresh(self, scope: Scope, order: SessionOrder) -> None:
        shown = await super().list(scope, SessionQuery(), order, limit=1_000, after=None)
        for _ in range(5):
            await asyncio.sleep(0)
        self.seen = frozenset(each.id for each in shown)
        self.under_way = None


class TestFault(OverMemory):
    sessions = Sessions
