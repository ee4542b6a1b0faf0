"""A tenant whose view was swept once is passed by every sweep of the whole keep.

It was taken out of the set of tenants although it had sessions left.
"""

from agentkeep.records import Scope
from over import Memory, OverMemory

FAMILY = "erasure"
CLAUSE = "TTL-2"


class Adapter(Memory):
    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        forgotten = self.__dict__.setdefault("forgotten", set[str]())
        if scope is not None:
            forgotten.add(scope.tenant)
            return await super().sweep(scope, limit=limit)
        tenants = {tenant for tenant, _ in self._client.database.entries} - forgotten
        return sum([await super(Adapter, self).sweep(Scope(tenant), limit=limit) for tenant in tenants])


class TestFault(OverMemory):
    adapter = Adapter
