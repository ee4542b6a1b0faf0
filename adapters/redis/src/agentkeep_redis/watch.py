"""Watching a session (WATCH-1): the log is the truth, the bell only says when to look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from time import monotonic
from typing import Any

from agentkeep.errors import SessionNotFound, Unavailable
from agentkeep.records import MessageRange, MessageRecord
from redis.exceptions import RedisClusterException, ResponseError

from agentkeep_redis.errors import DRIVER_ERRORS
from agentkeep_redis.link import Link

_PAGE = 500
_QUIET_SECONDS = 1.0
"""How long without a bell until a watcher looks by itself: for a bell that was lost, and a session that expired."""
_PATIENCE_SECONDS = 60.0
"""How long a server may be away before a watcher gives up."""
_RETRY_SECONDS = 0.1

Read = Callable[[MessageRange], Awaitable[tuple[bytes, list[MessageRecord]]]]


async def watch(link: Link, bell: str, session_id: str, read: Read, after_seq: int) -> AsyncIterator[MessageRecord]:
    """Messages behind `after_seq` as they land. Raises `SessionNotFound`, also when the session ends; `Unavailable`."""
    ears = _Ears(link, bell)
    born = None
    away_since: float | None = None
    try:
        while True:
            await ears.listen()
            try:
                seen, landed = await read(MessageRange(after=after_seq, limit=_PAGE))
            except Unavailable:
                away_since = away_since or monotonic()
                if monotonic() - away_since > _PATIENCE_SECONDS:
                    raise
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            away_since = None
            if born not in (None, seen):
                raise SessionNotFound(session_id)  # deleted, and its id given to a new session
            born = seen
            for record in landed:
                yield record
                after_seq = record.seq
            if len(landed) < _PAGE:
                await ears.wait()
    finally:
        await ears.close()


class _Ears:
    """A connection of a watcher's own, subscribed to one bell; without it the watcher looks every second."""

    def __init__(self, link: Link, bell: str) -> None:
        self._link = link
        self._bell = bell
        self._connection: Any = None

    async def listen(self) -> None:
        """Subscribe, unless that is done. To be called before each look, so that no ring falls between the two."""
        if self._connection is not None:
            return
        try:
            connection = self._connection = self._link.new_connection(self._bell.encode())
            await connection.connect()
            await connection.send_command("SSUBSCRIBE" if self._link.sharded else "SUBSCRIBE", self._bell)
            await self._heard()
        except (*DRIVER_ERRORS, RedisClusterException):
            await self.close()

    async def wait(self) -> None:
        """Until the bell rings, for a second at most."""
        if self._connection is None:
            await asyncio.sleep(_QUIET_SECONDS)
            return
        try:
            await self._heard()
        except (*DRIVER_ERRORS, ResponseError):
            await self.close()

    async def _heard(self) -> None:
        await self._connection.read_response(timeout=_QUIET_SECONDS, disconnect_on_error=False, push_request=True)

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.disconnect(nowait=True)
