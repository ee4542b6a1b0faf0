"""How watchers are woken: one connection that listens, for each event loop in which somebody watches."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from agentkeep.spi.notify import Key, Notifier
from agentkeep.spi.resend import Effect

from agentkeep_postgres.client import Client
from agentkeep_postgres.drivers import ListeningConnection
from agentkeep_postgres.rows import to_micros
from agentkeep_postgres.statements import Statements

_SEPARATOR = "\x1f"
"""No id holds a control character. `append` joins the two parts of its payload with it as well."""
_NOTIFY_FOR = timedelta(seconds=60)
"""For so long after a request appends notify. The request is renewed after a third of it."""


def make_notifier(client: Client, statements: Statements, channel: str) -> Notifier:
    notifier = Notifier(lambda: ServerListener(client, statements, channel, notifier))
    return notifier


class ServerListener:
    """The notifications of one event loop: `LISTEN`, and for each session a request that its appends notify.

    An append notifies only if its session was watched in the last minute, because commits with NOTIFY wait for each
    other. Behind a pooler in transaction mode LISTEN does not work, so `hears` is never true there.
    """

    def __init__(self, client: Client, statements: Statements, channel: str, notifier: Notifier) -> None:
        self._client = client
        self._sql = statements
        self._channel = channel
        self._notifier = notifier
        self._connection: ListeningConnection | None = None
        self._requested: dict[Key, float] = {}
        """When the request for a session must be renewed."""

    def hears(self, key: Key) -> bool:
        if self._connection is None or self._connection.is_over():
            return False
        return asyncio.get_running_loop().time() < self._requested.get(key, 0.0)

    async def listen(self, key: Key) -> None:
        if self._client.behind_pooler:
            return
        if self._connection is None or self._connection.is_over():
            await self._connect()
        tenant, session_id = key
        values = {"tenant": tenant, "session_id": session_id, "notify_for": to_micros(_NOTIFY_FOR)}
        await self._client.write(self._sql["request_notifications"], values, effect=Effect.REPEATABLE)
        self._requested[key] = asyncio.get_running_loop().time() + _NOTIFY_FOR.total_seconds() / 3

    async def _connect(self) -> None:
        self.stop()
        self._connection = await self._client.listen(self._channel, self._receive, self._notifier.notify_all)

    def _receive(self, payload: str) -> None:
        tenant, _, session_id = payload.partition(_SEPARATOR)
        self._notifier.notify((tenant, session_id))

    def forget(self, key: Key) -> None:
        self._requested.pop(key, None)

    def stop(self) -> None:
        """End the connection at once."""
        if self._connection is not None:
            self._connection.end()
            self._connection = None
