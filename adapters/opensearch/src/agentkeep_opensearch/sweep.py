"""Removes what has expired, and finishes what a killed process has left half done (TTL-2, FLT-1)."""

from __future__ import annotations

from agentkeep.records import Scope

from agentkeep_opensearch.commit import Store
from agentkeep_opensearch.erasing import finish
from agentkeep_opensearch.listing import Listing
from agentkeep_opensearch.migrating import remove_late
from agentkeep_opensearch.removal import Remover


class Sweeper:
    def __init__(self, store: Store, listing: Listing, remover: Remover) -> None:
        self._store = store
        self._listing = listing
        self._remover = remover

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        removed = await self._remover.sweep(scope, limit=limit)
        if removed < limit:
            for loaded in await self._listing.dirty(limit):
                await finish(self._store, loaded)
            await remove_late(self._store.client, self._store.names, limit)
        return removed
