"""The sweep removes expired sessions, and what removed texts leave in the file (SES-6, TTL-2).

`PRAGMA secure_delete` overwrites what is deleted, with two exceptions: copies of rows that SQLite leaves in the unused
part of a page when it moves rows to another page, and the pieces of removed texts in the search index. Merging the
index and rewriting the file (VACUUM) removes both.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from agentkeep.records import Scope

from agentkeep_sqlite.client import Client, Connection
from agentkeep_sqlite.tables import Tables

_BATCH = 100
"""Sessions removed in one transaction, so that other writers get their turn in between."""
_ALWAYS_REWRITTEN = 64 * 1024 * 1024
"""A database of at most so many bytes is rewritten after each removal: it takes a fraction of a second."""
_SHARE = 10
"""A larger one is rewritten after a tenth of its messages was removed, so that the cost stays in proportion."""


class Upkeep(NamedTuple):
    """What removals left behind."""

    removed: int
    leftovers: bool
    size: int


class Sweep:
    def __init__(self, client: Client, tables: Tables) -> None:
        self._client = client
        self._tables = tables
        self._sql = tables.sql

    async def run(self, scope: Scope | None, *, limit: int) -> int:
        """Remove up to `limit` expired sessions of a scope, or of all, and clean the file up; returns how many."""
        removed = 0
        while removed < limit:
            batch = min(_BATCH, limit - removed)
            count = await self._client.write(partial(self._remove_expired, scope, batch))
            removed += count
            if count < batch:
                break
        await self.clean_up()
        return removed

    def _remove_expired(self, scope: Scope | None, limit: int, db: Connection) -> int:
        tenant, user_id = (None, None) if scope is None else scope
        values = {"now": self._tables.now(), "tenant": tenant, "user_id": user_id, "limit": limit}
        found = db.all(self._sql["expired"], values)
        for (key,) in found:
            self._tables.remove_session(db, key)
        return len(found)

    async def clean_up(self) -> None:
        """Merge the index and rewrite the file if removals made that necessary, then empty the log."""
        upkeep = Upkeep(*(await self._client.read(lambda db: db.all(self._sql["upkeep"])[0])))
        if upkeep.leftovers and self._tables.search:
            await self._client.write(self._merge)
        if upkeep.removed:
            if await self._is_worth_rewriting(upkeep) and await self._client.vacuum():
                await self._client.write(partial(self._note_rewritten, upkeep.removed))
            await self._client.checkpoint()

    async def _is_worth_rewriting(self, upkeep: Upkeep) -> bool:
        if upkeep.size <= _ALWAYS_REWRITTEN:
            return True
        held = await self._client.read(lambda db: db.all(self._sql["count_messages"])[0][0])
        return upkeep.removed * _SHARE >= held

    def _merge(self, db: Connection) -> None:
        db.run(self._sql["merge_index"])
        db.run(self._sql["set_merged"])

    def _note_rewritten(self, removed: int, db: Connection) -> None:
        db.run(self._sql["note_rewritten"], {"removed": removed})
