"""A listing reads the index of its first filter, however many sessions that one matches.

A planner that knows nothing of how rare a value is.
"""

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

from agentkeep import PersistenceAdapter
from agentkeep.records import Scope
from agentkeep_conformance.storage.sqlite import counted
from agentkeep_sqlite.client import Connection
from agentkeep_sqlite.commit import Job
from agentkeep_sqlite.listing import Filter, Listing
from agentkeep_sqlite.short_reads import ShortReads
from over import plant
from over_sqlite import OverSQLite

FAMILY = "listing_costs"
CLAUSE = "READ-5"

_counting = ExitStack()
_steps = [_counting.enter_context(counted(kind, name)) for kind, name in ((Job, "run"), (ShortReads, "_run"))]


def as_common_as_any(self: Listing, scope: Scope, filter: Filter, most: int, db: Connection) -> int:
    return most


plant(Listing, "_how_many", as_common_as_any)


class TestFault(OverSQLite):
    async def work(self, adapter: PersistenceAdapter, call: Callable[[], Awaitable[Any]]) -> int:
        before = await self.server_work("", "")
        await call()
        return await self.server_work("", "") - before

    async def server_work(self, dsn: str, namespace: str) -> int:
        """All steps so far, as a server would tell them."""
        return sum(sum(steps) for steps in _steps)
