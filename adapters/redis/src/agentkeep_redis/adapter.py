"""The Redis adapter: one script a call, on a plain Redis server, behind Sentinel, or on a Redis Cluster."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from time import perf_counter
from typing import Any, Self

from agentkeep.capabilities import Capabilities
from agentkeep.errors import PersistenceError
from agentkeep.models import Health
from agentkeep.records import Scope
from agentkeep.spi.options import as_prefix, read_options
from msgspec.structs import replace
from redis.asyncio import RedisCluster

from agentkeep_redis.client import DriverClient, RedisClient, ServerClient, checked
from agentkeep_redis.cluster import ClusterClient
from agentkeep_redis.cluster_index import ClusterIndex
from agentkeep_redis.driver import Command, Driver
from agentkeep_redis.keys import Keys
from agentkeep_redis.listing import SessionListing
from agentkeep_redis.messages import RedisMessages
from agentkeep_redis.notify import notifier_of
from agentkeep_redis.rows import Compression, MessageRows
from agentkeep_redis.schema import prepare, schema_of
from agentkeep_redis.server import SETTINGS, persistence_of, role_warnings, server_version_of
from agentkeep_redis.session_index import ServerIndex, SessionIndex
from agentkeep_redis.sessions import RedisSessions
from agentkeep_redis.sweep import Sweeper
from agentkeep_redis.urls import ADAPTER_OPTIONS, CLIENT_OPTIONS, client_factory, is_cluster_url

_TIMEOUT = timedelta(seconds=10)
_MAX_BYTES = 16 * 1024 * 1024


class RedisAdapter:
    """Sessions and messages in Redis, below one prefix.

    `RedisAdapter(client)` works over the caller's `Redis` or `RedisCluster` of `redis.asyncio`, with whatever
    `decode_responses` and protocol it has, and never closes it (LIFE-2). Its settings for retries are not used.
    `manage_schema=False`: `open` writes nothing, and raises `SchemaMissing` if no adapter has opened the prefix yet.
    `compress_above`: payloads of at least so many bytes are stored as zstd frames; None: none are.
    `timeout`: how long a call may take, waiting for a connection included (FLT-5).
    One opened adapter belongs to the event loop that opened it (LIFE-3).
    """

    name = "redis"

    def __init__(
        self,
        client: Driver,
        *,
        prefix: str = "agentkeep",
        manage_schema: bool = True,
        compress_above: int | None = None,
        timeout: timedelta = _TIMEOUT,
    ) -> None:
        self._set_up(
            lambda: DriverClient(client),
            isinstance(client, RedisCluster),
            prefix=prefix,
            manage_schema=manage_schema,
            compress_above=compress_above,
            timeout=timeout,
        )

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """`redis://user:password@host:6379/0`, `rediss://` for TLS, `redis+cluster://host1,host2`,
        `redis+sentinel://host1,host2/SERVICE/0`.

        Options: `prefix`, `manage_schema`, `compress_above`, `timeout` and `connect_timeout` (seconds),
        `max_connections`, `protocol` (2 or 3), `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` (paths).
        Raises `ConfigurationError`.
        """
        values = read_options(cls.name, url, options, {**ADAPTER_OPTIONS, **CLIENT_OPTIONS})
        own = {name: values.pop(name) for name in ADAPTER_OPTIONS if name in values}
        adapter = cls.__new__(cls)
        adapter._set_up(client_factory(url, values), is_cluster_url(url), **own)
        return adapter

    def _set_up(
        self,
        make: Callable[[], DriverClient],
        is_cluster: bool,
        *,
        prefix: str = "agentkeep",
        manage_schema: bool = True,
        compress_above: int | None = None,
        timeout: timedelta = _TIMEOUT,
    ) -> None:
        self.capabilities = Capabilities(
            watch=True,
            native_ttl=True,
            server_clock=True,
            max_message_bytes=_MAX_BYTES,
            max_session_bytes=_MAX_BYTES,
            durability="process",
        )
        self._manage_schema = manage_schema
        self._is_open = False
        keys = self._keys = Keys(as_prefix("prefix", prefix))
        rows = MessageRows(Compression(compress_above))
        seconds = timeout.total_seconds()
        client: RedisClient = ClusterClient(make, seconds) if is_cluster else ServerClient(make, seconds)
        index: SessionIndex = ClusterIndex(client, keys) if is_cluster else ServerIndex(client, keys)
        self._index = index
        listing = SessionListing(client, keys, index)
        self._client = client
        self._notifier = notifier_of(client, keys)
        self._sweeper = Sweeper(client, keys, listing)
        self.sessions = RedisSessions(client, keys, index, listing, rows)
        self.messages = RedisMessages(client, keys, index, self._notifier, rows)

    async def open(self) -> None:
        if self._is_open:
            return
        try:
            await self._client.open()
            settings = await prepare(self._client, self._keys, SETTINGS, manage=self._manage_schema)
        except BaseException:
            await self._client.close()
            raise
        self.capabilities = replace(self.capabilities, durability=persistence_of(settings).durability)
        self._notifier.open()
        self._is_open = True

    async def close(self) -> None:
        self._notifier.close()
        if self._is_open:
            self._is_open = False
            with suppress(PersistenceError):
                await self._index.close()
        await self._client.close()
        await self._notifier.stopped()

    async def health(self) -> Health:
        client, key = self._client, self._keys.schema()
        started = perf_counter()
        commands: list[Command] = [("GET", key), ("INFO", "server"), ("INFO", "replication"), *SETTINGS]
        schema, info, replication, *settings = await client.commands(key, commands)
        latency = timedelta(seconds=perf_counter() - started)
        stored = schema_of(checked(schema, client.server), self._keys.prefix)
        persistence = persistence_of(settings)
        return Health(
            adapter=self.name,
            server=server_version_of(info),
            schema_version=None if stored is None else stored.version,
            durability=persistence.durability,
            latency=latency,
            warnings=[*persistence.warnings, *role_warnings(replication)],
        )

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return await self._sweeper.sweep(scope, limit)

    async def tenants(self) -> list[str]:
        """The tenants that have sessions."""
        return await self._sweeper.tenants()
