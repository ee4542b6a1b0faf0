"""Watching a session (WATCH-1): the log is the truth, a notification only says when to read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from time import monotonic
from typing import NamedTuple

from agentkeep.errors import SessionNotFound, Unavailable
from agentkeep.records import MessageRange, MessageRecord

from agentkeep_redis.notify import Notifier

_PAGE = 500
_PATIENCE_SECONDS = 60.0
"""How long a server may be away before a watcher gives up."""
_RETRY_SECONDS = 0.1


class Landed(NamedTuple):
    """What one reading of the log returned."""

    created: bytes
    """When the session was created: another time means another session of the same id."""
    seconds_left: float | None
    """Until it expires; None: never."""
    messages: list[MessageRecord]


Read = Callable[[MessageRange], Awaitable[Landed]]


async def watch(
    notifier: Notifier, channel: str, session_id: str, read: Read, after_seq: int
) -> AsyncIterator[MessageRecord]:
    """Messages behind `after_seq` as they land. Raises `SessionNotFound`, also when the session ends; `Unavailable`."""
    created = None
    away_since: float | None = None
    with notifier.watching(channel) as changed:
        while True:
            try:
                landed = await read(MessageRange(after=after_seq, limit=_PAGE))
            except Unavailable:
                away_since = away_since or monotonic()
                if monotonic() - away_since > _PATIENCE_SECONDS:
                    raise
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            away_since = None
            if created not in (None, landed.created):
                raise SessionNotFound(session_id)  # deleted, and its id given to a new session
            created = landed.created
            for record in landed.messages:
                yield record
                after_seq = record.seq
            if len(landed.messages) < _PAGE:
                await notifier.wait(changed, landed.seconds_left)
