"""Watching a session of a memory database."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from operator import attrgetter

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep.spi.clock import Clock
from agentkeep.spi.notify import Notifier
from agentkeep.spi.watch import Life, watch

from agentkeep_memory.tables import Tables

_seq = attrgetter("seq")


def watch_session(
    tables: Tables, clock: Clock, notifier: Notifier, scope: Scope, session_id: str, after_seq: int
) -> AsyncIterator[MessageRecord]:
    """Messages after `after_seq` as they land (WATCH-1)."""

    async def read(window: MessageRange) -> tuple[Life, Sequence[MessageRecord]]:
        with tables.lock:
            entry = tables.living(scope, session_id, clock())
            start = bisect_right(entry.log, window.after, key=_seq)
            return entry, entry.log[start : start + window.limit]

    return watch(notifier, scope, session_id, read, after_seq=after_seq)
