"""The bell that wakes watchers: one listening connection an event loop, while somebody watches there.

It only saves waiting. What it may miss is found by the watchers' own look at the log.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from agentkeep.errors import PersistenceError

from agentkeep_postgres.connections import Connections
from agentkeep_postgres.drivers import Listening

_SEPARATOR = "\x1f"
"""No id holds a control character. `append` joins its notification alike."""


class Bells:
    """The bell of each event loop."""

    def __init__(self, connections: Connections, channel: str) -> None:
        self._connections = connections
        self._channel = channel
        self._bells: WeakKeyDictionary[asyncio.AbstractEventLoop, Bell] = WeakKeyDictionary()

    def here(self) -> Bell:
        loop = asyncio.get_running_loop()
        if loop not in self._bells:
            self._bells[loop] = Bell(self._connections, self._channel)
        return self._bells[loop]

    def close(self) -> None:
        """Stop listening in this event loop."""
        bell = self._bells.pop(asyncio.get_running_loop(), None)
        if bell is not None:
            bell.stop()


class Bell:
    def __init__(self, connections: Connections, channel: str) -> None:
        self._connections = connections
        self._channel = channel
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._changing = asyncio.Lock()
        self._listening: Listening | None = None

    def join(self, tenant: str, session_id: str) -> asyncio.Event:
        """An event that is set when messages land in a session, as long as `listens` holds."""
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
        """Whether the bell works now; it is hung up anew where its connection was lost."""
        connections = self._connections
        if connections.pooled:
            return False
        async with self._changing:
            if self._listening is not None and not self._listening.is_over():
                return True
            self.stop()
            try:
                connection = await connections.apart()
            except PersistenceError:
                return False
            try:
                self._listening = await connections.driver.listen(connection, self._channel, self._heard)
            except BaseException as error:
                connections.driver.end(connection)
                if isinstance(error, Exception):  # a replica does not listen, and a connection may be lost here too
                    return False
                raise
            return True

    def _heard(self, payload: str) -> None:
        for event in self._waiting.get(payload, ()):
            event.set()

    def stop(self) -> None:
        """End the listening connection at once."""
        if self._listening is not None:
            self._listening.end()
            self._listening = None
