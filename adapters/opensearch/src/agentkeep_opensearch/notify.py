"""How watchers are woken: one poller for each event loop asks for the heads of all watched sessions in one request."""

from __future__ import annotations

import asyncio

from agentkeep.errors import PersistenceError
from agentkeep.spi.notify import Key, Notifier

from agentkeep_opensearch.client import Client
from agentkeep_opensearch.statements import Names, session_key

_SECONDS = 0.1
"""Between two requests, if few sessions are watched."""
_SESSIONS = 500
"""With twice as many, half as often."""

Head = tuple[int, int] | None


class SessionNotifier:
    def __init__(self, client: Client, names: Names) -> None:
        def make_listener() -> Poller:
            return Poller(client, names, self.notifier)

        self.notifier = Notifier(make_listener)

    def notify(self, key: Key) -> None:
        """Wake the watchers of this process at once."""
        self.notifier.notify(key)


class Poller:
    """The heads of all sessions that are watched in one event loop."""

    def __init__(self, client: Client, names: Names, notifier: Notifier) -> None:
        self._client = client
        self._names = names
        self._notifier = notifier
        self._heads: dict[Key, Head] = {}
        self._polling: asyncio.Task[None] | None = None

    def hears(self, key: Key) -> bool:
        return key in self._heads and self._polling is not None and not self._polling.done()

    async def listen(self, key: Key) -> None:
        if self._polling is None or self._polling.done():
            self._heads.clear()
            self._polling = asyncio.get_running_loop().create_task(self._poll())
        # None is no head that a session can have: the next poll wakes the watcher, who may have missed something
        self._heads[key] = None

    def forget(self, key: Key) -> None:
        self._heads.pop(key, None)

    def stop(self) -> None:
        if self._polling is not None:
            self._polling.cancel()

    async def _poll(self) -> None:
        """Until a request fails: then the watchers listen anew."""
        try:
            while True:
                await asyncio.sleep(_SECONDS * max(1.0, len(self._heads) / _SESSIONS))
                await self._ask(list(self._heads))
        except PersistenceError:
            self._heads.clear()
            self._notifier.notify_all()

    async def _ask(self, keys: list[Key]) -> None:
        if not keys:
            return
        docs = [{"_index": self._names.sessions, "_id": session_key(*key), "_source": False} for key in keys]
        with self._client.call():
            reply = await self._client.request("POST", "/_mget", {"docs": docs})
        for key, found in zip(keys, reply["docs"], strict=True):
            head = (found.get("_primary_term", 0), found.get("_seq_no", 0))
            if key in self._heads and self._heads[key] != head:
                self._heads[key] = head
                self._notifier.notify(key)
