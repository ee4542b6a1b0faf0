"""Watching a session of a memory database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep.spi.watch import Life, watch

from agentkeep_memory.client import Client


def watch_session(client: Client, scope: Scope, session_id: str, after_seq: int) -> AsyncIterator[MessageRecord]:
    """Messages after `after_seq` as they land (WATCH-1)."""

    async def read(window: MessageRange) -> tuple[Life, Sequence[MessageRecord]]:
        with client.lock:
            entry = client.find(scope, session_id, client.now())
            return entry, entry.range(window)

    return watch(client.notifier, scope, session_id, read, after_seq=after_seq)
