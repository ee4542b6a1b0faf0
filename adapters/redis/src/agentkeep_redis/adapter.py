"""The Redis adapter: one script a call, on a plain Redis server, behind Sentinel, or on a Redis Cluster."""

from __future__ import annotations

from asyncio import timeout as timeout_after
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from time import perf_counter
from typing import Any, Self

from agentkeep.capabilities import Capabilities
from agentkeep.errors import ConfigurationError, Corrupt, PersistenceError, SchemaMissing, SchemaTooNew
from agentkeep.models import Health
from agentkeep.records import Scope
from agentkeep.spi.options import as_prefix, read_options
from msgspec.structs import replace
from redis.asyncio import RedisCluster
from redis.exceptions import RedisClusterException, ResponseError

from agentkeep_redis.compression import Compression
from agentkeep_redis.errors import DRIVER_ERRORS, refused, root_of
from agentkeep_redis.keys import Keys
from agentkeep_redis.link import Client, ClusterLink, Link, SingleLink, answer
from agentkeep_redis.messages import RedisMessages
from agentkeep_redis.parts import Opened, Parts
from agentkeep_redis.scripts import SCRIPTS, load_script
from agentkeep_redis.server import ASKED, persistence_of, role_warnings, version_of
from agentkeep_redis.sessions import RedisSessions
from agentkeep_redis.sweep import Sweeper
from agentkeep_redis.urls import ADAPTER_OPTIONS, CLIENT_OPTIONS, Made, client_factory
from agentkeep_redis.wire import Command, Effect

SCHEMA_VERSION = 1
_TIMEOUT = timedelta(seconds=10)
_MAX_BYTES = 16 * 1024 * 1024


class RedisAdapter:
    """Sessions and messages in Redis, below one prefix.

    `RedisAdapter(client)` works over the caller's `Redis` or `RedisCluster` of `redis.asyncio`, with whatever
    `decode_responses` and protocol it has, and never closes it (LIFE-2). Its settings for retries are not used.
    `manage_schema=False`: `open` writes nothing and raises `SchemaMissing` where no adapter has opened the prefix yet.
    `compress_above`: payloads of at least so many bytes are stored as zstd frames; None: none are.
    `timeout`: how long to wait for an answer, connecting included.
    One opened adapter belongs to the event loop that opened it (LIFE-3).
    """

    name = "redis"

    def __init__(
        self,
        client: Client,
        *,
        prefix: str = "agentkeep",
        manage_schema: bool = True,
        compress_above: int | None = None,
        timeout: timedelta = _TIMEOUT,
    ) -> None:
        self._begin(lambda: (client, []), prefix, manage_schema, compress_above, timeout, owned=False)

    def _begin(
        self,
        make: Callable[[], Made],
        prefix: str,
        manage_schema: bool,
        compress_above: int | None,
        timeout: timedelta,
        *,
        owned: bool,
    ) -> None:
        self._make = make
        self._owned = owned
        self._manage_schema = manage_schema
        self._seconds = timeout.total_seconds()
        self._keys = Keys(as_prefix("prefix", prefix))
        self._parts = Parts(self._keys, Compression(compress_above))
        self._made: Made | None = None
        self.capabilities = Capabilities(
            watch=True,
            native_ttl=True,
            server_clock=True,
            max_message_bytes=_MAX_BYTES,
            max_session_bytes=_MAX_BYTES,
            durability="process",
        )
        self.sessions = RedisSessions(self._parts)
        self.messages = RedisMessages(self._parts)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """`redis://user:password@host:6379/0`, `rediss://` for TLS, `redis+cluster://host1,host2`,
        `redis+sentinel://host1,host2/SERVICE/0`.

        Options: `prefix`, `manage_schema`, `compress_above`, `timeout` and `connect_timeout` (seconds),
        `max_connections`, `protocol` (2 or 3), `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` (paths).
        Raises `ConfigurationError`.
        """
        given = read_options(cls.name, url, options, {**ADAPTER_OPTIONS, **CLIENT_OPTIONS})
        own = {name: given.pop(name) for name in ADAPTER_OPTIONS if name in given}
        adapter = cls.__new__(cls)
        adapter._begin(
            client_factory(url, given),
            own.get("prefix", "agentkeep"),
            own.get("manage_schema", True),
            own.get("compress_above"),
            own.get("timeout", _TIMEOUT),
            owned=True,
        )
        return adapter

    async def open(self) -> None:
        if self._parts.opened is not None:
            return
        made = self._made = self._make()
        try:
            opened = Opened(await _linked(made[0], self._seconds, owned=self._owned), self._keys)
            await self._prepare(opened.link)
        except BaseException:
            await self._disconnect()
            raise
        self._parts.opened = opened

    async def _prepare(self, link: Link) -> None:
        """The schema's version, the server's scripts and settings, in one exchange; and one more for new scripts."""
        key = self._keys.schema()
        allowed = "1" if self._manage_schema else "0"
        script: Command = ("EVAL", load_script("open").text, 1, key, str(SCHEMA_VERSION), allowed)
        asked: Command = ("SCRIPT", "EXISTS", *(load_script(name).sha for name in SCRIPTS))
        reply, known, *settings = await link.commands(key, [script, asked, *ASKED], Effect.REPEATABLE)
        _check_schema(answer(reply, link.place), self._keys.prefix)
        self.capabilities = replace(self.capabilities, durability=persistence_of(settings).durability)
        await _load_scripts(link, key, answer(known, link.place))

    async def close(self) -> None:
        opened, self._parts.opened = self._parts.opened, None
        if opened is not None:
            with suppress(PersistenceError):
                await opened.index.close()
            await opened.link.close()
        await self._disconnect()

    async def _disconnect(self) -> None:
        made, self._made = self._made, None
        if made is None or not self._owned:
            return
        for client in (made[0], *made[1]):
            with suppress(*DRIVER_ERRORS, RedisClusterException):
                await _end(client)

    async def health(self) -> Health:
        link = self._parts.link
        key = self._keys.schema()
        started = perf_counter()
        asked: list[Command] = [("GET", key), ("INFO", "server"), ("INFO", "replication"), *ASKED]
        schema, info, replication, *settings = await link.commands(key, asked)
        latency = timedelta(seconds=perf_counter() - started)
        persistence = persistence_of(settings)
        return Health(
            adapter=self.name,
            server=version_of(info),
            schema_version=_version(answer(schema, link.place), self._keys.prefix),
            durability=persistence.durability,
            latency=latency,
            warnings=[*persistence.warnings, *role_warnings(replication)],
        )

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return await Sweeper(self._parts.require_opened(), self._keys).sweep(scope, limit)


async def _linked(client: Client, seconds: float, *, owned: bool) -> Link:
    if not isinstance(client, RedisCluster):
        return SingleLink(client, seconds)
    nodes: Any = client.nodes_manager
    try:
        async with timeout_after(seconds):
            # The client's own `initialize` also asks for all commands, which nobody here needs (LIFE-1).
            await (nodes.initialize() if owned else client.initialize())
    except (RedisClusterException, *DRIVER_ERRORS) as error:
        if isinstance(root_of(error), ResponseError) and await _is_without_slots(nodes, seconds):
            raise ConfigurationError("redis cluster: the server runs without cluster mode: give redis://") from error
        raise refused(error, "redis cluster") from error
    return ClusterLink(client, seconds)


async def _is_without_slots(nodes: Any, seconds: float) -> bool:
    """Whether a server of the URL says so itself: what else it may have refused can pass, as too many clients do."""
    with suppress(*DRIVER_ERRORS):
        async with timeout_after(seconds):
            for node in tuple(nodes.startup_nodes.values()):
                info = await node.execute_command("INFO", "cluster")
                if info["cluster_enabled"] == 0:
                    return True
    return False


async def _end(client: Client) -> None:
    if isinstance(client, RedisCluster):
        nodes: Any = client.nodes_manager
        await nodes.aclose()
        await nodes.aclose("startup_nodes")
    else:
        await client.aclose()


async def _load_scripts(link: Link, key: bytes, known: Sequence[int]) -> None:
    """So that the first calls need not be sent twice. What a server forgets, or another node lacks, is sent again."""
    missing = [load_script(name).text for name, is_known in zip(SCRIPTS, known, strict=True) if not is_known]
    if missing:
        for reply in await link.commands(key, [("SCRIPT", "LOAD", text) for text in missing], Effect.REPEATABLE):
            answer(reply, link.place)


def _version(found: bytes | None, prefix: str) -> int | None:
    if found is None or found.isdigit():
        return None if found is None else int(found)
    raise Corrupt(f"{prefix}:schema", "it holds no version")


def _check_schema(found: bytes | None, prefix: str) -> None:
    version = _version(found, prefix)
    if version is None:
        raise SchemaMissing(f"prefix {prefix!r} has no Agentkeep schema, and manage_schema is off")
    if version > SCHEMA_VERSION:
        raise SchemaTooNew(found=version, known=SCHEMA_VERSION)
