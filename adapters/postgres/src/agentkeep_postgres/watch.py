"""Watching a session: the bell says when to look, the log says what is there (WATCH-1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from time import monotonic

from agentkeep.errors import OutcomeUnknown, SessionNotFound, Unavailable
from agentkeep.records import MAX_SEQ, MessageRecord, Scope

from agentkeep_postgres.bell import Bells
from agentkeep_postgres.connections import Connections
from agentkeep_postgres.rows import message_record, to_micros
from agentkeep_postgres.statements import Statements

_LOOK_SECONDS = 1.0
"""How soon a watcher sees what rings no bell: that its session expired or was deleted."""
_POLL_SECONDS = 0.2
"""How often it looks where there is no bell."""
_ASKED_FOR = timedelta(seconds=60)
"""So long appends ring after they were asked to; they are asked anew after a third of it."""
_PATIENCE_SECONDS = 60.0
"""How long a server may be away before a watcher gives up."""
_PAGE = 500


class Watcher:
    def __init__(self, connections: Connections, statements: Statements, bells: Bells) -> None:
        self._connections = connections
        self._sql = statements
        self._bells = bells

    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        """Messages as they land. Raises `SessionNotFound`, also once the session is gone or is another of its id.

        A server that is away is waited for, a minute; then `Unavailable`.
        """
        bell = self._bells.here()
        rung = bell.join(scope.tenant, session_id)
        born: datetime | None = None
        ask_again = 0.0
        away_since: float | None = None
        try:
            while True:
                listens = await bell.listens()
                if listens and monotonic() >= ask_again:
                    listens = await self._ask(scope, session_id)
                    ask_again = monotonic() + _ASKED_FOR.total_seconds() / 3 if listens else 0.0
                rung.clear()
                try:
                    records, created_at = await self._landed(scope, session_id, after_seq)
                except Unavailable:
                    away_since = away_since or monotonic()
                    if monotonic() - away_since > _PATIENCE_SECONDS:
                        raise
                    await asyncio.sleep(_POLL_SECONDS)
                    continue
                away_since = None
                if born not in (None, created_at):
                    raise SessionNotFound(session_id)
                born = created_at
                for record in records:
                    yield record
                    after_seq = record.seq
                if len(records) < _PAGE:
                    await _until(rung, _LOOK_SECONDS if listens else _POLL_SECONDS)
        finally:
            bell.leave(scope.tenant, session_id, rung)

    async def _ask(self, scope: Scope, session_id: str) -> bool:
        """Ask appends to this session to ring; False where that failed, and the log is to be polled."""
        values = _at(scope, session_id) | {"lasting": to_micros(_ASKED_FOR)}
        try:
            await self._connections.write(self._sql["watch"], values, again={})
        except (Unavailable, OutcomeUnknown):
            return False
        return True

    async def _landed(self, scope: Scope, session_id: str, after_seq: int) -> tuple[list[MessageRecord], datetime]:
        values = _at(scope, session_id) | {"after": after_seq, "before": MAX_SEQ + 1, "limit": _PAGE}
        rows = await self._connections.read(self._sql["list_forward"], values)
        if not rows:
            raise SessionNotFound(session_id)
        return [message_record(row) for row in rows if row[1] is not None], rows[0][5]


def _at(scope: Scope, session_id: str) -> dict[str, object]:
    return {"tenant": scope.tenant, "scope_user": scope.user_id, "session_id": session_id}


async def _until(rung: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await rung.wait()
    except TimeoutError:
        return
