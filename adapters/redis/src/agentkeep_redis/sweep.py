"""Removing what expired sessions leave in the index, and what writers that died left there (TTL-2)."""

from __future__ import annotations

import msgspec
from agentkeep.records import Scope

from agentkeep_redis.keys import Keys
from agentkeep_redis.link import answer
from agentkeep_redis.listing import user_facet
from agentkeep_redis.parts import Opened
from agentkeep_redis.scripts import load_script
from agentkeep_redis.wire import Call, Effect

_BATCH = 200
_pack = msgspec.msgpack.Encoder().encode


class Sweeper:
    def __init__(self, opened: Opened, keys: Keys) -> None:
        self._opened = opened
        self._keys = keys

    async def sweep(self, scope: Scope | None, limit: int) -> int:
        """How many expired sessions of a scope, or of all tenants, were removed; at most `limit`."""
        scopes = [scope] if scope is not None else [Scope(tenant) for tenant in await self._tenants()]
        gone = 0
        for one in scopes:
            if gone < limit:
                gone += await self._sweep_tenant(one, limit - gone)
        return gone

    async def _tenants(self) -> list[str]:
        key = self._keys.tenants()
        link = self._opened.link
        (reply,) = await link.commands(key, [("SMEMBERS", key)])
        return sorted(tenant.decode() for tenant in answer(reply, link.place))

    async def _sweep_tenant(self, scope: Scope, limit: int) -> int:
        sharded = self._opened.link.sharded
        if sharded:
            await self._opened.listing.mend_marked(scope)
        gone = passed = 0
        is_left = True
        while gone < limit:
            went, looked, is_left = await self._batch(scope, min(_BATCH, limit - gone), passed)
            gone += went
            passed += looked - went  # of other users
            if looked == 0:
                break
        if sharded and not is_left:
            await self._unregister(scope.tenant)
        return gone

    async def _batch(self, scope: Scope, limit: int, skip: int) -> tuple[int, int, bool]:
        link = self._opened.link
        keys = self._keys.index(scope.tenant)
        if not link.sharded:
            keys += [self._keys.late(scope.tenant), self._keys.tenants()]
        options = {"limit": limit, "skip": skip, "facet": user_facet(scope), "tenant": scope.tenant}
        call = Call(load_script("sweep"), keys, [_pack(options)], f"index of tenant {scope.tenant!r}")
        went, looked, is_left = await link.call(call, Effect.ONCE)
        return went, looked, bool(is_left)

    async def _unregister(self, tenant: str) -> None:
        """On a cluster the set of tenants is in a slot of its own: look again after the tenant was taken out of it."""
        link = self._opened.link
        key = self._keys.tenants()
        rows, marks = self._keys.index(tenant)[1], self._keys.marks(tenant)
        if await self._is_there(rows, marks):
            return
        (reply,) = await link.commands(key, [("SREM", key, tenant)], Effect.REPEATABLE)
        answer(reply, link.place)
        if await self._is_there(rows, marks):
            await self._opened.index.register(tenant)

    async def _is_there(self, rows: bytes, marks: bytes) -> bool:
        (reply,) = await self._opened.link.commands(rows, [("EXISTS", rows, marks)])
        return answer(reply, self._opened.link.place) > 0
