"""A tenant's sweep removes what expired of all tenants.

A cron job with the admin's view, called from a request.
"""

from agentkeep.records import Scope
from over import Memory, OverMemory

FAMILY = "ttl"
CLAUSE = "TTL-2"


class Adapter(Memory):
    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return await super().sweep(None, limit=limit)


class TestFault(OverMemory):
    adapter = Adapter
