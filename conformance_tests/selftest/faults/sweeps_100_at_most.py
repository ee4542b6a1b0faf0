"""A sweep removes 100 sessions, whatever it was told.

deer-flow#4138: pruning slower than growing.
"""

from agentkeep.records import Scope
from over import Memory, OverMemory

FAMILY = "ttl"
CLAUSE = "TTL-2"


class Adapter(Memory):
    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return await super().sweep(scope, limit=min(limit, 100))


class TestFault(OverMemory):
    adapter = Adapter
