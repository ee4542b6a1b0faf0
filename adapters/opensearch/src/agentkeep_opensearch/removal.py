"""Removes whole sessions: first each is marked as dead, which commits it; then its messages go, and its document last.

A sweep does the rest if a process is killed in between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agentkeep.errors import OutcomeUnknown, PersistenceError
from agentkeep.records import Scope, SessionQuery

from agentkeep_opensearch.commit import Lost, Store
from agentkeep_opensearch.documents import Loaded
from agentkeep_opensearch.erasing import erase_all
from agentkeep_opensearch.listing import Listing
from agentkeep_opensearch.notify import SessionNotifier

_MOST_AT_ONCE = 50


class Remover:
    def __init__(self, store: Store, listing: Listing, notifier: SessionNotifier) -> None:
        self._store = store
        self._listing = listing
        self._notifier = notifier

    async def remove(self, dead: Loaded) -> bool:
        """False if its document stays for now."""
        await erase_all(self._store, dead.session)
        return await self._store.drop(dead)

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        return await self._until_limit(limit, lambda size: self._listing.matching(scope, query, size))

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return await self._until_limit(limit, lambda size: self._listing.expired(scope, size))

    async def _until_limit(self, limit: int, find: Callable[[int], Awaitable[list[Loaded]]]) -> int:
        removed = 0
        try:
            while removed < limit:
                size = min(_MOST_AT_ONCE, limit - removed)
                found = await find(size)
                before = removed
                for each in found:
                    removed += await self._remove_found(each)
                is_stuck = removed == before and all(each.session.is_dead for each in found)
                if len(found) < size or is_stuck:
                    break
        except PersistenceError as error:
            raise partly(error, removed) from error
        return removed

    async def _remove_found(self, found: Loaded) -> bool:
        """False if it was written since it was found, or was dead before and stays for now."""
        try:
            dead = found if found.session.is_dead else await self._store.bury(found)
        except Lost:
            return False
        self._notifier.notify((dead.session.tenant, dead.session.record.id))
        return await self.remove(dead) or not found.session.is_dead


def partly(error: PersistenceError, done: int) -> PersistenceError:
    """Some sessions were removed before the failure (ERR-2)."""
    if done == 0 and not isinstance(error, OutcomeUnknown):
        return error
    known = error.done or 0 if isinstance(error, OutcomeUnknown) else 0
    return OutcomeUnknown(str(error), done=done + known)
