"""Watching a session: NOTIFY is the bell, the log is the truth (WATCH-1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

from agentkeep.errors import SessionNotFound
from agentkeep.records import MessageRecord, Scope
from agentkeep.validation import MAX_SEQ

from agentkeep_postgres.connections import Connections
from agentkeep_postgres.rows import message_record
from agentkeep_postgres.statements import Statements

_POLL_SECONDS = 0.2
_PAGE = 500


class Watcher:
    def __init__(self, connections: Connections, statements: Statements) -> None:
        self._connections = connections
        self._sql = statements

    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        """Messages as they land. Raises `SessionNotFound`, also once the session is gone or is another of its id."""
        born: datetime | None = None
        while True:
            records, created_at = await self._landed(scope, session_id, after_seq)
            if born not in (None, created_at):
                raise SessionNotFound(session_id)
            born = created_at
            for record in records:
                yield record
                after_seq = record.seq
            if len(records) < _PAGE:
                await asyncio.sleep(_POLL_SECONDS)

    async def _landed(self, scope: Scope, session_id: str, after_seq: int) -> tuple[list[MessageRecord], datetime]:
        values: dict[str, object] = {
            "tenant": scope.tenant,
            "scope_user": scope.user_id,
            "session_id": session_id,
            "after": after_seq,
            "before": MAX_SEQ + 1,
            "limit": _PAGE,
        }
        rows = await self._connections.read(self._sql["list_forward"], values)
        if not rows:
            raise SessionNotFound(session_id)
        return [message_record(row) for row in rows if row[1] is not None], rows[0][5]
