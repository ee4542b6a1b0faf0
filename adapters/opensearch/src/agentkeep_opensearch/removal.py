"""Removes whole sessions: first each is marked as dead, which commits it; then its messages go, and its document last.

A sweep does the rest if a process is killed in between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum

from agentkeep.errors import OutcomeUnknown, PersistenceError
from agentkeep.records import Scope, SessionQuery

from agentkeep_opensearch.commit import Lost, Store, loaded_of
from agentkeep_opensearch.documents import Loaded
from agentkeep_opensearch.erasing import erase_all
from agentkeep_opensearch.listing import Listing
from agentkeep_opensearch.notify import SessionNotifier

_MOST_AT_ONCE = 50


class _Document(Enum):
    """What became of a dead session's document."""

    REMOVED = "this call removed it"
    GONE = "another call was first"
    REPLACED = "a new session has its place"
    STAYS = "a migration is under way"


class Remover:
    def __init__(self, store: Store, listing: Listing, notifier: SessionNotifier) -> None:
        self._store = store
        self._listing = listing
        self._notifier = notifier

    async def remove(self, dead: Loaded) -> bool:
        """Whether this call removed its document."""
        await erase_all(self._store, dead.session)
        return await self._store.drop(dead)

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        return await self._until_limit(limit, lambda size: self._listing.matching(scope, query, size), self._delete)

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return await self._until_limit(limit, lambda size: self._listing.expired(scope, size), self._sweep)

    async def _until_limit(
        self,
        limit: int,
        find: Callable[[int], Awaitable[list[Loaded]]],
        remove: Callable[[Loaded], Awaitable[tuple[int, bool]]],
    ) -> int:
        """`remove` returns how many sessions it removed, one or none, and whether a search may find another one now."""
        removed = 0
        try:
            while removed < limit:
                size = min(_MOST_AT_ONCE, limit - removed)
                found = await find(size)
                goes_on = False
                for each in found:
                    count, has_moved = await remove(each)
                    removed += count
                    goes_on = goes_on or has_moved
                if len(found) < size or not goes_on:
                    break
        except PersistenceError as error:
            raise partly(error, removed) from error
        return removed

    async def _delete(self, found: Loaded) -> tuple[int, bool]:
        """None was dead before. Who ends it counts it."""
        try:
            dead = await self._store.bury(found)
        except Lost:
            return 0, True
        self._notify(dead)
        await self.remove(dead)
        return 1, True

    async def _sweep(self, found: Loaded) -> tuple[int, bool]:
        """It may be dead: a read ended it, or another sweep, or who removed it was killed. Who removes its document
        counts it, so that sweeps at the same time count it once."""
        was_dead = found.session.is_dead
        try:
            dead = found if was_dead else await self._store.bury(found)
        except Lost:
            return 0, True
        self._notify(dead)
        document = _Document.REMOVED if await self.remove(dead) else await self._document_of(dead)
        is_counted = document is _Document.REMOVED or (document is not _Document.GONE and not was_dead)
        return is_counted, document is not _Document.STAYS or not was_dead

    async def _document_of(self, dead: Loaded) -> _Document:
        """Of a session whose document this call did not remove."""
        key = dead.session.key
        (found,) = await self._store.mget([self._store.session_doc(key, ())])
        there = loaded_of(key, found)
        if there is None:
            return _Document.GONE
        return _Document.STAYS if there.session.life == dead.session.life else _Document.REPLACED

    def _notify(self, dead: Loaded) -> None:
        self._notifier.notify((dead.session.tenant, dead.session.record.id))


def partly(error: PersistenceError, done: int) -> PersistenceError:
    """Some sessions were removed before the failure (ERR-2)."""
    if done == 0 and not isinstance(error, OutcomeUnknown):
        return error
    known = error.done or 0 if isinstance(error, OutcomeUnknown) else 0
    return OutcomeUnknown(str(error), done=done + known)
