"""Watching a session (WATCH-1)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep.spi.notify import Notifier
from agentkeep.spi.watch import Life, watch

from agentkeep_mongo.client import Client
from agentkeep_mongo.reading import Reading


def watch_session(
    client: Client, reading: Reading, notifier: Notifier, scope: Scope, session_id: str, after_seq: int
) -> AsyncIterator[MessageRecord]:
    async def read(window: MessageRange) -> tuple[Life, Sequence[MessageRecord]]:
        async with client.call():
            found = await reading.window(scope, session_id, window)
        return found.session["life"], found.messages

    return watch(notifier, scope, session_id, read, after_seq=after_seq)
