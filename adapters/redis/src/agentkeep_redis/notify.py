"""How watchers are woken: each change of a session is published on its channel, and one connection hears them all.

On a cluster this is classic pub/sub, which passes each message on to every node. Sharded pub/sub would cost an append
less there, but needs a connection to each node (WATCH-2).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from agentkeep.errors import Unavailable
from agentkeep.spi.notify import Key, Notifier
from redis.exceptions import RedisClusterException, ResponseError

from agentkeep_redis.client import RedisClient
from agentkeep_redis.driver import read_push, send_command
from agentkeep_redis.errors import DRIVER_ERRORS, error_of
from agentkeep_redis.keys import Keys

_PING_SECONDS = 10.0
"""After so long without a message the server is asked whether it is still there."""
_CONFIRM_SECONDS = 5.0

_BREAKS = (*DRIVER_ERRORS, ResponseError, RedisClusterException)


def notifier_of(client: RedisClient, keys: Keys) -> Notifier:
    def make_listener() -> ChannelListener:
        return ChannelListener(client, keys, notifier)

    notifier = Notifier(make_listener)
    return notifier


class ChannelListener:
    """One connection that is subscribed to the channels of all sessions that are watched in one event loop."""

    def __init__(self, client: RedisClient, keys: Keys, notifier: Notifier) -> None:
        self._client = client
        self._keys = keys
        self._notifier = notifier
        self._subscribed: dict[str, Key] = {}
        """By channel; the server has confirmed these."""
        self._confirmations: dict[str, asyncio.Future[None]] = {}
        self._connection: Any = None
        self._reading: asyncio.Task[None] | None = None

    def hears(self, key: Key) -> bool:
        return self._keys.channel(*key) in self._subscribed

    async def listen(self, key: Key) -> None:
        channel = self._keys.channel(*key)
        confirmed = self._confirmations[channel] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(_CONFIRM_SECONDS):
                if self._connection is None:
                    await self._connect()
                self._tell("SUBSCRIBE", channel)
                await confirmed
            self._subscribed[channel] = key
        except _BREAKS as error:
            raise error_of(error, self._client.server) from error
        finally:
            del self._confirmations[channel]

    async def _connect(self) -> None:
        connection = self._client.new_connection(self._keys.schema())
        try:
            await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._connection = connection
        self._reading = asyncio.get_running_loop().create_task(self._read(connection))

    def _tell(self, command: str, *channels: str) -> None:
        """The connection's writer buffers it, and never raises. A connection that fails is noticed by `_read`."""
        if self._connection is not None:
            send_command(self._connection, command, *channels)

    async def _read(self, connection: Any) -> None:
        """Until the connection breaks, or the server does not reply to a PING."""
        try:
            with suppress(*_BREAKS):
                await self._hear(connection)
        finally:
            if self._connection is connection:
                self._connection = None
                self._subscribed.clear()
            for confirmed in self._confirmations.values():
                if not confirmed.done():
                    confirmed.set_exception(Unavailable(f"{self._client.server}: the subscription's connection ended"))
            self._notifier.notify_all()
            await connection.disconnect(nowait=True)

    async def _hear(self, connection: Any) -> None:
        is_asked = False
        while True:
            message: list[bytes] | bytes | None = await read_push(connection, _PING_SECONDS)
            if message is None:
                if is_asked:
                    return
                self._tell("PING")
            is_asked = message is None
            if isinstance(message, list):
                self._take(message[0], message[1].decode())

    def _take(self, kind: bytes, channel: str) -> None:
        if kind == b"message" and channel in self._subscribed:
            self._notifier.notify(self._subscribed[channel])
        elif kind == b"subscribe" and channel in self._confirmations:
            confirmed = self._confirmations[channel]
            if not confirmed.done():
                confirmed.set_result(None)

    def forget(self, key: Key) -> None:
        channel = self._keys.channel(*key)
        if self._subscribed.pop(channel, None) is not None:
            self._tell("UNSUBSCRIBE", channel)

    def stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
