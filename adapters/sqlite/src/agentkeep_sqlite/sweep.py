"""The sweep removes expired sessions, and what removed texts leave in the file (SES-6, TTL-2).

`PRAGMA secure_delete` overwrites what is deleted, with two exceptions: copies of rows that SQLite leaves in the unused
part of a page when it moves rows to another page, and the pieces of removed texts in the search index. Merging the
index and rewriting the file (VACUUM) removes both. Each step is a transaction of its own, so that no other writer waits
long (COST-3).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from agentkeep.records import Scope

from agentkeep_sqlite.client import Client, Connection
from agentkeep_sqlite.tables import Tables

REWRITTEN_BYTES = 64 * 1024 * 1024
"""A database of at most so many bytes is rewritten after each removal: it takes a fraction of a second. Nobody can
write in the meantime, so a larger one is left to its owner."""
_MERGE_PAGES = 64


class Upkeep(NamedTuple):
    """What removals left behind."""

    removed: int
    leftovers: bool
    size: int

    @property
    def needs_vacuum(self) -> bool:
        """Whether the file may hold copies of removed texts that the sweep leaves there."""
        return self.removed > 0 and self.size > REWRITTEN_BYTES


class Sweep:
    def __init__(self, client: Client, tables: Tables) -> None:
        self._client = client
        self._tables = tables
        self._sql = tables.sql

    async def run(self, scope: Scope | None, *, limit: int) -> int:
        """Remove up to `limit` expired sessions of a scope, or of all; returns how many.

        If there are no more, clean the file up.
        """
        count = await self._client.write_step(partial(self._remove_expired, scope, limit))
        while await self._client.write_step(self._tables.remove_step):
            pass
        if count < limit:
            await self.clean_up()
        return count

    def _remove_expired(self, scope: Scope | None, limit: int, db: Connection) -> int:
        tenant, user_id = (None, None) if scope is None else scope
        values = {"now": db.now, "tenant": tenant, "user_id": user_id, "limit": limit}
        found = [(key, message_count) for key, message_count in db.all(self._sql["expired"], values)]
        self._tables.remove_sessions(db, found)
        return len(found)

    async def clean_up(self) -> None:
        """Merge the index and rewrite the file if removals made that necessary, then empty the log."""
        upkeep = await self.upkeep()
        if upkeep.leftovers and self._tables.search:
            await self._merge()
        if upkeep.removed:
            if not upkeep.needs_vacuum and await self._client.vacuum():
                await self._client.write(partial(self._note_rewritten, upkeep.removed))
            await self._client.checkpoint()

    async def upkeep(self) -> Upkeep:
        removed, leftovers, size = (await self._client.read(lambda db: db.all(self._sql["upkeep"])))[0]
        return Upkeep(removed, bool(leftovers), size)

    async def _merge(self) -> None:
        """Merge all segments of the index into one, in steps.

        A negative number of pages begins it. It is complete when a step changes nothing but FTS5's own bookkeeping.
        """
        pages = -_MERGE_PAGES
        while await self._client.write_step(partial(self._merge_step, pages)):
            pages = _MERGE_PAGES

    def _merge_step(self, pages: int, db: Connection) -> bool:
        before = db.all(self._sql["total_changes"])[0][0]
        db.run(self._sql["merge_index"], {"pages": pages})
        is_working = db.all(self._sql["total_changes"])[0][0] - before >= 2
        if not is_working:
            db.run(self._sql["set_merged"])
        return is_working

    def _note_rewritten(self, removed: int, db: Connection) -> None:
        db.run(self._sql["note_rewritten"], {"removed": removed})
