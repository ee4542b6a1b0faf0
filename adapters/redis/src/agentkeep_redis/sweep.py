"""Removes what expired sessions leave in the index, and on a cluster what writers that died left there (TTL-2)."""

from __future__ import annotations

from agentkeep.errors import PersistenceError
from agentkeep.records import Scope
from agentkeep.spi.one_call import one_call
from agentkeep.spi.resend import Effect

from agentkeep_redis.client import RedisClient, checked
from agentkeep_redis.facets import user_facet
from agentkeep_redis.keys import Keys
from agentkeep_redis.listing import SessionListing
from agentkeep_redis.outcomes import partly
from agentkeep_redis.session_index import index_call

_BATCH = 200
"""Sessions in one script (COST-3)."""


class Sweeper:
    def __init__(self, client: RedisClient, keys: Keys, listing: SessionListing) -> None:
        self._client = client
        self._keys = keys
        self._listing = listing
        self._tenants_left: list[str] = []
        """A sweep of all tenants goes on where its last step stopped."""

    async def sweep(self, scope: Scope | None, limit: int) -> int:
        """How many expired sessions of a scope, or of all tenants, were removed. Fewer than `limit`: none is left."""
        with one_call():
            return await self._sweep(scope, limit)

    async def _sweep(self, scope: Scope | None, limit: int) -> int:
        if scope is not None:
            return await self._sweep_tenant(scope, limit)
        is_old = bool(self._tenants_left)
        removed = await self._sweep_tenants(limit)
        if not is_old or removed == limit:
            return removed
        try:  # an earlier call read that list: it lacks the tenants that came since, and those that it had done
            return removed + await self._sweep_tenants(limit - removed)
        except PersistenceError as error:
            raise partly(error, removed) from error

    async def _sweep_tenants(self, limit: int) -> int:
        left = self._tenants_left = self._tenants_left or await self.tenants()
        removed = 0
        while left and removed < limit:
            tenant = left[-1]
            try:
                removed += await self._sweep_tenant(Scope(tenant), limit - removed)
            except PersistenceError as error:
                raise partly(error, removed) from error
            if removed < limit and tenant in left:  # another sweep at the same time shares the list
                left.remove(tenant)
        return removed

    async def tenants(self) -> list[str]:
        """The tenants that have sessions."""
        key = self._keys.tenants()
        (reply,) = await self._client.commands(key, [("SMEMBERS", key)])
        return sorted(tenant.decode() for tenant in checked(reply, self._client.server))

    async def _sweep_tenant(self, scope: Scope, limit: int) -> int:
        if self._client.is_cluster:
            await self._listing.mend_uncertain(scope)
        removed = passed = 0
        is_left = True
        while removed < limit:
            try:
                more, looked_at, is_left = await self._batch(scope, min(_BATCH, limit - removed), passed)
            except PersistenceError as error:
                raise partly(error, removed) from error
            removed += more
            passed += looked_at - more  # of other users
            if looked_at == 0:
                break
        if self._client.is_cluster and not is_left:
            await self._unregister(scope.tenant)
        return removed

    async def _batch(self, scope: Scope, limit: int, skip: int) -> tuple[int, int, bool]:
        keys = self._keys.index(scope.tenant)
        if not self._client.is_cluster:
            keys += [self._keys.pending(scope.tenant), self._keys.tenants()]
        options = {"limit": limit, "skip": skip, "facet": user_facet(scope), "tenant": scope.tenant}
        call = index_call("sweep", scope.tenant, keys, options, ())
        removed, looked_at, is_left = await self._client.run(call, Effect.ONCE)
        return removed, looked_at, bool(is_left)

    async def _unregister(self, tenant: str) -> None:
        """A cluster has the set of tenants in another slot: look again after the tenant was removed from it."""
        key = self._keys.tenants()
        if await self._has_sessions(tenant):
            return
        await self._change_tenants(key, "SREM", tenant)
        if await self._has_sessions(tenant):
            await self._change_tenants(key, "SADD", tenant)

    async def _change_tenants(self, key: bytes, command: str, tenant: str) -> None:
        (reply,) = await self._client.commands(key, [(command, key, tenant)], Effect.REPEATABLE)
        checked(reply, self._client.server)

    async def _has_sessions(self, tenant: str) -> bool:
        rows, intents = self._keys.index(tenant)[1], self._keys.intents(tenant)
        (reply,) = await self._client.commands(rows, [("EXISTS", rows, intents)])
        return checked(reply, self._client.server) > 0
