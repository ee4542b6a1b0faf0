"""How watchers are woken: each change of a session is published on its channel, and one connection hears them all.

On a cluster this is classic pub/sub, which passes each message on to every node. Sharded pub/sub would cost an append
less there, but needs a connection to each node (WATCH-2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

from redis.exceptions import RedisClusterException, ResponseError

from agentkeep_redis.client import RedisClient
from agentkeep_redis.driver import read_push, send_command
from agentkeep_redis.errors import DRIVER_ERRORS

_PING_SECONDS = 10.0
"""After so long without a message the server is asked whether it is still there."""
_RETRY_SECONDS = 0.2
_UNSUBSCRIBED_SECONDS = 1.0
"""How often a watcher reads by itself while nobody would wake it."""
_SUBSCRIBED_SECONDS = 30.0

_BREAKS = (*DRIVER_ERRORS, ResponseError, RedisClusterException)


class Notifier:
    """Wakes the watchers of one keep in one event loop. Its connection exists while there are watchers."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._watchers: dict[str, set[asyncio.Event]] = {}
        """By channel."""
        self._connection: Any = None
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, channel: str) -> Generator[asyncio.Event]:
        """An event that is set when something may have changed, and also once the subscription holds."""
        event = asyncio.Event()
        watchers = self._watchers.setdefault(channel, set())
        watchers.add(event)
        if len(watchers) == 1:
            self._tell("SUBSCRIBE", channel)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen())
        try:
            yield event
        finally:
            watchers.discard(event)
            if not watchers and self._watchers.get(channel) is watchers:
                del self._watchers[channel]
                self._tell("UNSUBSCRIBE", channel)
            if not self._watchers:
                self._task.cancel()

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Until the event is set, or it is time to read without it: after `seconds` at the latest."""
        limit = _UNSUBSCRIBED_SECONDS if self._connection is None else _SUBSCRIBED_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(limit if seconds is None else min(limit, seconds)):
                await event.wait()
        event.clear()

    def _tell(self, command: str, *channels: str) -> None:
        """The writer buffers it; a connection that fails is noticed by `_listen`."""
        if self._connection is not None:
            with suppress(*_BREAKS):
                send_command(self._connection, command, *channels)

    async def _listen(self) -> None:
        while True:
            connection = None
            with suppress(*_BREAKS):
                try:
                    connection = self._client.new_connection(b"")
                    await connection.connect()
                    self._connection = connection
                    self._tell("SUBSCRIBE", *self._watchers)
                    await self._read(connection)
                finally:
                    self._connection = None
                    if connection is not None:
                        await connection.disconnect(nowait=True)
            self._wake_all()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _read(self, connection: Any) -> None:
        """Until the connection breaks, or the server does not reply to a PING."""
        is_asked = False
        while True:
            message: list[bytes] | bytes | None = await read_push(connection, _PING_SECONDS)
            if message is None:
                if is_asked:
                    return
                self._tell("PING")
            is_asked = message is None
            if isinstance(message, list) and message[0] in (b"message", b"subscribe"):
                self._wake(message[1].decode())

    def _wake(self, channel: str) -> None:
        for event in self._watchers.get(channel, ()):
            event.set()

    def _wake_all(self) -> None:
        for channel in self._watchers:
            self._wake(channel)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        self._wake_all()
