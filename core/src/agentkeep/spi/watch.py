"""The watch loop: the log is the truth, and notifications only say when to look.

An adapter writes one function that reads a page of the log, and has a `Notifier`:

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        async def read(window: MessageRange) -> tuple[Life, Sequence[MessageRecord]]:
            session, records = await self._read_page(scope, session_id, window)     # may raise SessionNotFound
            return session.created_at, records

        return watch(self._notifier, scope, session_id, read, after_seq=after_seq)

Each message after `after_seq` is yielded exactly once, in order, also across reconnects and restarts of the server. A
watcher reads again when it is notified, and once a second without a notification: for a session that expired or was
deleted, and for a notification that was lost. If no notifications arrive it reads five times a second. Many watchers
of one event loop read less often each, so that together they are no load.

(WATCH-1, WATCH-2)
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from typing import TypeAlias

from agentkeep.errors import SessionNotFound, Unavailable
from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep.spi.notify import Notifier, Watcher

Life: TypeAlias = Hashable
"""What differs between two sessions of the same id: `created_at`, a row's key, the version at the start."""

Read: TypeAlias = Callable[[MessageRange], Awaitable[tuple[Life, Sequence[MessageRecord]]]]
"""Reads messages in order. Raises `SessionNotFound` if the session is absent, `Unavailable` if the server is away."""

QUIET_SECONDS = 1.0
"""How long a watcher waits for a notification before it reads without one."""
POLL_SECONDS = 0.2
"""How long it waits if no notifications arrive, or the server is away."""
AWAY_SECONDS = 60.0
"""How long the server may be away before a watcher raises `Unavailable`."""
AT_FULL_PACE = 25
"""How many watchers of one event loop may read that often. Twice as many read half as often, and so on.

With 100 the reads of 200 watchers that nothing happened to kept an event loop busy for most of its time, on a machine
with five times as much to do as it could (MongoDB, 30 November 2026).
"""
PAGE = 500


async def watch(
    notifier: Notifier, scope: Scope, session_id: str, read: Read, *, after_seq: int
) -> AsyncIterator[MessageRecord]:
    """Messages after `after_seq` as they land, until the caller stops.

    Raises `SessionNotFound`, also once the session is gone or its id belongs to a new one; `Closed`; `Unavailable` if
    the server is away for a minute.
    """
    clock = asyncio.get_running_loop().time
    watched: Life | None = None
    away_since: float | None = None
    with notifier.watching((scope.tenant, session_id)) as watcher:
        while True:
            is_notified = await watcher.ready()
            try:
                life, records = await read(MessageRange(after=after_seq, limit=PAGE))
            except Unavailable:
                away_since = away_since or clock()
                if clock() - away_since > AWAY_SECONDS:
                    raise
                await watcher.wait(_paced(watcher, POLL_SECONDS))
                continue
            away_since = None
            if watched not in (None, life):
                raise SessionNotFound(session_id)  # deleted, and its id given to a new session
            watched = life
            for record in records:
                yield record
                after_seq = record.seq
            if len(records) < PAGE:
                await watcher.wait(_paced(watcher, QUIET_SECONDS if is_notified else POLL_SECONDS))


def _paced(watcher: Watcher, seconds: float) -> float:
    """Longer if there are many watchers, and never the same for all of them."""
    return seconds * max(1.0, watcher.company / AT_FULL_PACE) * random.uniform(0.8, 1.0)  # noqa: S311 - spreads them
