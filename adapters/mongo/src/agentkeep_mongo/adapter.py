"""The MongoDB adapter: a standalone server, a replica set, or a sharded cluster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import perf_counter
from typing import Any, Self

from agentkeep.capabilities import Capabilities
from agentkeep.models import Health
from agentkeep.records import Scope
from agentkeep.spi.notify import Listener, Notifier
from agentkeep.spi.options import as_prefix
from msgspec.structs import replace

from agentkeep_mongo import schema
from agentkeep_mongo.client import Client
from agentkeep_mongo.commit import Commits
from agentkeep_mongo.concerns import Driver
from agentkeep_mongo.copying import Copying
from agentkeep_mongo.messages import MongoMessages
from agentkeep_mongo.moving import Mover
from agentkeep_mongo.notify import ChangeListener, PollingListener
from agentkeep_mongo.reading import Reading
from agentkeep_mongo.removal import Removal
from agentkeep_mongo.server import ask, version
from agentkeep_mongo.sessions import MongoSessions
from agentkeep_mongo.sweep import Sweeper
from agentkeep_mongo.urls import DATABASE, PREFIX, TIMEOUT, settings_of

_MAX_BYTES = 8 * 1024 * 1024


class MongoAdapter:
    """Sessions and messages in one database of MongoDB, in collections that begin with a prefix.

    `MongoAdapter(client)` works over the caller's `AsyncMongoClient` and never closes it (LIFE-2). Concerns of reading
    and writing are this adapter's own, whatever the client's are. One opened adapter belongs to the event loop that
    opened it (LIFE-3).
    """

    name = "mongodb"

    def __init__(
        self,
        client: Driver,
        *,
        database: str = DATABASE,
        prefix: str = PREFIX,
        manage_schema: bool = True,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        """`timeout` bounds each call, waiting for a connection and for a new primary included (FLT-5)."""
        self._set_up(lambda: client, "mongodb", database, prefix, manage_schema, timeout, owned=False)

    def _set_up(
        self,
        make: Callable[[], Driver],
        server: str,
        database: str,
        prefix: str,
        manage_schema: bool,
        timeout: timedelta,
        *,
        owned: bool,
    ) -> None:
        client = self._client = Client(
            make,
            owned=owned,
            server=server,
            database=database,
            prefix=as_prefix("prefix", prefix),
            seconds=timeout.total_seconds(),
        )
        self._manage_schema = manage_schema
        self._has_streams = False
        self._notifier = Notifier(self._listener)
        self.capabilities = Capabilities(
            search=True,
            watch=True,
            server_clock=True,
            max_message_bytes=_MAX_BYTES,
            max_session_bytes=_MAX_BYTES,
            durability="fsync",
        )
        mover = Mover(client)
        commits = Commits(client, mover)
        reading = Reading(client, mover)
        removal = Removal(client, mover)
        copying = Copying(client, commits, mover)
        self._sweeper = Sweeper(client, mover, removal)
        self.sessions = MongoSessions(client, commits, reading, copying, removal, self._notifier)
        self.messages = MongoMessages(client, commits, mover, reading, self._notifier)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """`mongodb://user:password@host:27017/database`, `mongodb://h1,h2/?replicaSet=name`, `mongodb+srv://host/`.

        Options: `database`, `prefix`, `manage_schema`, `timeout` and `connect_timeout` (seconds), `max_connections`.
        Those of MongoDB's own that say where and how to connect stay in the URL. Raises `ConfigurationError`.
        """
        settings = settings_of(cls.name, url, options)
        adapter = cls.__new__(cls)
        adapter._set_up(
            settings.make,
            settings.server,
            settings.options.get("database", DATABASE),
            settings.options.get("prefix", PREFIX),
            settings.options.get("manage_schema", True),
            settings.options.get("timeout", TIMEOUT),
            owned=True,
        )
        return adapter

    def _listener(self) -> Listener:
        listener = ChangeListener if self._has_streams else PollingListener
        return listener(self._client, self._notifier)

    async def open(self) -> None:
        if self._client.is_open:
            return
        self._client.open()
        try:
            async with self._client.call():
                is_missing = await schema.is_missing(self._client, manage_schema=self._manage_schema)
                server = await ask(self._client)
            self._client.is_replica_set = server.is_replica_set
            if is_missing:
                await schema.make(self._client)
            async with self._client.call():
                await self._client.meet_primary()
        except BaseException:
            await self._client.close()
            raise
        connections = self._client.collections.database.client.options.pool_options.max_pool_size
        self._has_streams = server.is_replica_set and connections != 1  # a change stream keeps a connection
        self.capabilities = replace(self.capabilities, durability=server.durability)
        self._notifier.open()

    async def close(self) -> None:
        self._notifier.close()
        await self._client.close()
        await self._notifier.stopped()

    async def health(self) -> Health:
        async with self._client.call():
            started = perf_counter()
            server = await ask(self._client)
            latency = timedelta(seconds=perf_counter() - started)
            found = await schema.find(self._client)
            name = await version(self._client)
        return Health(
            adapter=self.name,
            server=name,
            schema_version=None if found is None else found.version,
            durability=server.durability,
            latency=latency,
            warnings=server.warnings,
        )

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        async with self._client.call():
            return await self._sweeper.sweep(scope, limit=limit)
