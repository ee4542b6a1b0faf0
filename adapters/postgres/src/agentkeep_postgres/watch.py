"""Watching a session: how the watch loop reads a page of the log (WATCH-1)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from agentkeep.records import MAX_SEQ, MessageRange, MessageRecord, Scope
from agentkeep.spi.notify import Notifier
from agentkeep.spi.watch import Life, watch

from agentkeep_postgres.client import Client
from agentkeep_postgres.rows import message_record
from agentkeep_postgres.settled import SettledReads
from agentkeep_postgres.statements import Statements


class Watch:
    def __init__(self, client: Client, statements: Statements, notifier: Notifier) -> None:
        self._reads = SettledReads(client, statements)
        self._notifier = notifier

    def messages(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        """Messages as they land. Raises `SessionNotFound`, also when the session was removed or replaced."""

        async def read(window: MessageRange) -> tuple[Life, Sequence[MessageRecord]]:
            values = {
                "tenant": scope.tenant,
                "scope_user": scope.user_id,
                "session_id": session_id,
                "after": window.after,
                "before": MAX_SEQ + 1,
                "limit": window.limit,
            }
            rows = await self._reads.session("list_forward", scope, session_id, values)
            return rows[0][5], [message_record(row) for row in rows if row[1] is not None]

        return watch(self._notifier, scope, session_id, read, after_seq=after_seq)
