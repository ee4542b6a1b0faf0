"""What removed texts leave in the file, and how the sweep gets rid of it (SES-6, TTL-2).

PRAGMA secure_delete overwrites what is deleted. It misses the copies that SQLite leaves in the unused part of a page
when it moves rows to another one, and FTS5's pieces. Merging the index and rewriting the file (VACUUM) ends both.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from agentkeep_sqlite.connection import Connection
from agentkeep_sqlite.executor import Executor
from agentkeep_sqlite.tables import Tables

_ALWAYS_REWRITTEN = 64 * 1024 * 1024
"""Bytes of a database that is rewritten after each removal: a fraction of a second."""
_SHARE = 10
"""A larger one is rewritten when a tenth of its messages went, so that the cost stays in proportion to what goes."""


class Due(NamedTuple):
    """What removals left behind."""

    removed: int
    leftovers: bool
    size: int


class Upkeep:
    def __init__(self, executor: Executor, tables: Tables) -> None:
        self._executor = executor
        self._tables = tables
        self._sql = tables.sql

    async def run(self) -> None:
        """Merge and rewrite where it is due, then empty the log."""
        due = Due(*(await self._executor.read(lambda db: db.all(self._sql["upkeep_due"])[0])))
        if due.leftovers and self._tables.search:
            await self._executor.write(self._merge)
        if due.removed:
            if await self._is_worth_rewriting(due) and await self._executor.rewrite():
                await self._executor.write(partial(self._note_rewritten, due.removed))
            await self._executor.checkpoint()

    async def _is_worth_rewriting(self, due: Due) -> bool:
        if due.size <= _ALWAYS_REWRITTEN:
            return True
        held = await self._executor.read(lambda db: db.all(self._sql["count_messages"])[0][0])
        return due.removed * _SHARE >= held

    def _merge(self, db: Connection) -> None:
        db.run(self._sql["merge_index"])
        db.run(self._sql["set_merged"])

    def _note_rewritten(self, removed: int, db: Connection) -> None:
        db.run(self._sql["note_rewritten"], {"removed": removed})
