"""Watching a session: a notification says when to read the log, and the log says what landed (WATCH-1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from time import monotonic

from agentkeep.errors import OutcomeUnknown, SessionNotFound, Unavailable
from agentkeep.records import MAX_SEQ, MessageRecord, Scope

from agentkeep_postgres.client import Client
from agentkeep_postgres.notify import Notifiers
from agentkeep_postgres.rows import message_record, to_micros
from agentkeep_postgres.statements import Statements

_CHECK_SECONDS = 1.0
"""How often a watcher reads the log without a notification. Nothing notifies that a session expired or was deleted."""
_POLL_SECONDS = 0.2
"""How often it reads the log if notifications don't arrive."""
_NOTIFY_FOR = timedelta(seconds=60)
"""For so long after a request appends notify. The request is renewed after a third of it."""
_GIVE_UP_SECONDS = 60.0
"""How long the server may be unreachable before a watch ends with `Unavailable`."""
_PAGE = 500


class Watcher:
    def __init__(self, client: Client, statements: Statements, notifiers: Notifiers) -> None:
        self._client = client
        self._sql = statements
        self._notifiers = notifiers

    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        """Messages as they land. Raises `SessionNotFound`, also when the session was removed or replaced.

        It waits a minute for a server that is unreachable, then raises `Unavailable`.
        """
        notifier = self._notifiers.of_this_loop()
        landed = notifier.join(scope.tenant, session_id)
        created: datetime | None = None
        renew_at = 0.0
        unreachable_since: float | None = None
        try:
            while True:
                listens = await notifier.listens()
                if listens and monotonic() >= renew_at:
                    listens = await self._request(scope, session_id)
                    renew_at = monotonic() + _NOTIFY_FOR.total_seconds() / 3 if listens else 0.0
                landed.clear()
                try:
                    records, created_at = await self._read(scope, session_id, after_seq)
                except Unavailable:
                    unreachable_since = unreachable_since or monotonic()
                    if monotonic() - unreachable_since > _GIVE_UP_SECONDS:
                        raise
                    await asyncio.sleep(_POLL_SECONDS)
                    continue
                unreachable_since = None
                if created not in (None, created_at):
                    raise SessionNotFound(session_id)
                created = created_at
                for record in records:
                    yield record
                    after_seq = record.seq
                if len(records) < _PAGE:
                    await _until(landed, _CHECK_SECONDS if listens else _POLL_SECONDS)
        finally:
            notifier.leave(scope.tenant, session_id, landed)

    async def _request(self, scope: Scope, session_id: str) -> bool:
        """Ask appends to this session to notify. False if that failed, and the watcher must poll."""
        values = _at(scope, session_id) | {"notify_for": to_micros(_NOTIFY_FOR)}
        try:
            await self._client.write(self._sql["watch"], values, resend={})
        except (Unavailable, OutcomeUnknown):
            return False
        return True

    async def _read(self, scope: Scope, session_id: str, after_seq: int) -> tuple[list[MessageRecord], datetime]:
        values = _at(scope, session_id) | {"after": after_seq, "before": MAX_SEQ + 1, "limit": _PAGE}
        rows = await self._client.read(self._sql["list_forward"], values)
        if not rows:
            raise SessionNotFound(session_id)
        return [message_record(row) for row in rows if row[1] is not None], rows[0][5]


def _at(scope: Scope, session_id: str) -> dict[str, object]:
    return {"tenant": scope.tenant, "scope_user": scope.user_id, "session_id": session_id}


async def _until(landed: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await landed.wait()
    except TimeoutError:
        return
