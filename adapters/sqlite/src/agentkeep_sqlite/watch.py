"""Watching a session (WATCH-1): the log is the truth, the bell and the polling only say when to look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

from agentkeep.errors import SessionNotFound
from agentkeep.records import MessageRecord, Scope

from agentkeep_sqlite.connection import Connection
from agentkeep_sqlite.executor import Executor
from agentkeep_sqlite.rows import message_record
from agentkeep_sqlite.tables import Tables

_PAGE = 500

Landed = tuple[int, list[MessageRecord]]
"""The session's key, and the messages behind a seq."""


async def watch(
    executor: Executor, tables: Tables, scope: Scope, session_id: str, after_seq: int
) -> AsyncIterator[MessageRecord]:
    """Messages behind `after_seq` as they land. Raises `SessionNotFound`, also when the session ends."""
    watched = None
    with executor.bell.heard() as bell:
        executor.look_out()
        while True:
            bell.clear()
            key, landed = await executor.read(partial(_landed, tables, scope, session_id, after_seq))
            if watched not in (None, key):
                raise SessionNotFound(session_id)  # deleted, and its id given to a new session
            watched = key
            for record in landed:
                yield record
                after_seq = record.seq
            if len(landed) < _PAGE:
                await _rung(bell, executor.poll)


async def _rung(bell: asyncio.Event, poll: timedelta) -> None:
    """Until the bell rings, or it is time to see whether the session expired."""
    try:
        async with asyncio.timeout(poll.total_seconds()):
            await bell.wait()
    except TimeoutError:
        return


def _landed(tables: Tables, scope: Scope, session_id: str, after_seq: int, db: Connection) -> Landed:
    values = tables.whose(scope, session_id, tables.now()) | {"after": after_seq, "limit": _PAGE}
    rows = db.all(tables.sql["landed"], values)
    if not rows:
        raise SessionNotFound(session_id)
    return rows[0][0], [message_record(row[1:]) for row in rows if row[1] is not None]
