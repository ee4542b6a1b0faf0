"""Watches a session: what the watch loop of `agentkeep.spi` reads (WATCH-1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep.spi import watch as spi

from agentkeep_sqlite.client import Client, Connection
from agentkeep_sqlite.rows import message_records
from agentkeep_sqlite.tables import Tables, lookup_values

NewMessages = tuple[int, list[MessageRecord]]
"""The key of the session that has the id now, and its messages after a seq."""


def watch(
    client: Client, tables: Tables, scope: Scope, session_id: str, after_seq: int
) -> AsyncIterator[MessageRecord]:
    """Messages after `after_seq` as they land. Raises `SessionNotFound`, also when the session ends."""

    async def read(window: MessageRange) -> NewMessages:
        return await client.read(partial(_read_new, tables, scope, session_id, window))

    return spi.watch(client.notifier, scope, session_id, read, after_seq=after_seq)


def _read_new(tables: Tables, scope: Scope, session_id: str, window: MessageRange, db: Connection) -> NewMessages:
    values = lookup_values(scope, session_id, db)
    rows = db.all(tables.sql["new_messages"], values | {"after": window.after, "limit": window.limit})
    if not rows:
        raise tables.not_found(db, scope, session_id)
    return rows[0][0], message_records(session_id, [row[1:] for row in rows if row[1] is not None])
