"""How watchers are woken: by one change stream on a replica set; on a standalone server by one poll for all."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from agentkeep.errors import Closed, PersistenceError, Unavailable
from agentkeep.spi.notify import Key, Notifier
from agentkeep.spi.watch import POLL_SECONDS

from agentkeep_mongo.client import Client
from agentkeep_mongo.concerns import Collections, Document
from agentkeep_mongo.documents import session_key
from agentkeep_mongo.errors import DRIVER_ERRORS

_AWAIT_MILLISECONDS = 1000
_ONLY_KEYS: list[Document] = [{"$project": {"documentKey": 1}}]
"""Change events without what changed."""


class PollingListener:
    """One query for all watched sessions, five times a second: a standalone server tells nobody (WATCH-2)."""

    def __init__(self, client: Client, notifier: Notifier) -> None:
        self._client = client
        self._notifier = notifier
        self._seen: dict[str, tuple[Any, Any] | None] = {}
        self._task: asyncio.Task[None] | None = None

    def hears(self, key: Key) -> bool:
        return self._task is not None and not self._task.done() and session_key(*key) in self._seen

    async def listen(self, key: Key) -> None:
        self._seen.setdefault(session_key(*key))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._poll())

    async def _poll(self) -> None:
        try:
            while True:
                await asyncio.sleep(POLL_SECONDS)
                await self._look()
        except PersistenceError:
            self._task = None
            self._notifier.notify_all()  # they listen anew, and read what was missed

    async def _look(self) -> None:
        wanted = {"_id": {"$in": list(self._seen)}}
        found = await self._client.read(lambda to: to.sessions.find(wanted, {"life": 1, "last_seq": 1}).to_list())
        now = {each["_id"]: (each["life"], each["last_seq"]) for each in found}
        for key, before in list(self._seen.items()):
            if now.get(key) != before:
                self._seen[key] = now.get(key)
                tenant, _, session_id = key.partition("\n")
                self._notifier.notify((tenant, session_id))

    def forget(self, key: Key) -> None:
        self._seen.pop(session_key(*key), None)

    def stop(self) -> None:
        self._seen.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()


class ChangeListener:
    """One change stream over all sessions, for all watchers of one event loop (WATCH-2)."""

    def __init__(self, client: Client, notifier: Notifier) -> None:
        self._client = client
        self._notifier = notifier
        self._task: asyncio.Task[None] | None = None

    def hears(self, key: Key) -> bool:
        return self._task is not None and not self._task.done()

    async def listen(self, key: Key) -> None:
        try:
            stream: Any = await self._client.read(_open_stream)
        except Closed:
            raise Unavailable("the adapter was closed") from None
        self._task = asyncio.get_running_loop().create_task(self._hear(stream))

    async def _hear(self, stream: Any) -> None:
        try:
            async with stream:
                while True:
                    change = await stream.next()
                    tenant, _, session_id = change["documentKey"]["_id"].partition("\n")
                    self._notifier.notify((tenant, session_id))
        except (*DRIVER_ERRORS, StopAsyncIteration):
            self._task = None
            self._notifier.notify_all()  # they listen anew, and read what was missed

    def forget(self, key: Key) -> None:
        return

    def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            with suppress(RuntimeError):
                task.cancel()


async def _open_stream(to: Collections) -> Any:
    return await to.seen.watch(_ONLY_KEYS, max_await_time_ms=_AWAIT_MILLISECONDS)
