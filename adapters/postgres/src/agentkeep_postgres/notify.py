"""How watchers are woken: one connection that listens, for each event loop in which somebody watches.

A notification only saves waiting. What it misses is found when the watcher reads the log.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from agentkeep.errors import PersistenceError

from agentkeep_postgres.client import Client
from agentkeep_postgres.drivers import Listener

_SEPARATOR = "\x1f"
"""No id holds a control character. `append` joins the two parts of its payload with it as well."""


class Notifiers:
    """The notifier of each event loop."""

    def __init__(self, client: Client, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._notifiers: WeakKeyDictionary[asyncio.AbstractEventLoop, Notifier] = WeakKeyDictionary()

    def of_this_loop(self) -> Notifier:
        loop = asyncio.get_running_loop()
        if loop not in self._notifiers:
            self._notifiers[loop] = Notifier(self._client, self._channel)
        return self._notifiers[loop]

    def close(self) -> None:
        """Stop listening in this event loop."""
        notifier = self._notifiers.pop(asyncio.get_running_loop(), None)
        if notifier is not None:
            notifier.stop()


class Notifier:
    def __init__(self, client: Client, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._starting = asyncio.Lock()
        self._listener: Listener | None = None

    def join(self, tenant: str, session_id: str) -> asyncio.Event:
        """An event that is set when messages land in a session, as long as `listens` returns True."""
        event = asyncio.Event()
        self._waiting.setdefault(f"{tenant}{_SEPARATOR}{session_id}", set()).add(event)
        return event

    def leave(self, tenant: str, session_id: str, event: asyncio.Event) -> None:
        key = f"{tenant}{_SEPARATOR}{session_id}"
        self._waiting[key].discard(event)
        if not self._waiting[key]:
            del self._waiting[key]
        if not self._waiting:
            self.stop()

    async def listens(self) -> bool:
        """Whether notifications arrive now. Listens on a new connection if the last one was lost."""
        client = self._client
        if client.behind_pooler:
            return False
        async with self._starting:
            if self._listener is not None and not self._listener.is_over():
                return True
            self.stop()
            try:
                connection = await client.dedicated_connection()
            except PersistenceError:
                return False
            try:
                self._listener = await client.driver.listen(connection, self._channel, self._wake)
            except BaseException as error:
                client.driver.end(connection)
                if isinstance(error, Exception):  # a replica can't listen, and a connection may be lost here too
                    return False
                raise
            return True

    def _wake(self, key: str) -> None:
        for event in self._waiting.get(key, ()):
            event.set()

    def stop(self) -> None:
        """End the listening connection at once."""
        if self._listener is not None:
            self._listener.end()
            self._listener = None
