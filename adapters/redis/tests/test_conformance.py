"""The Redis adapter keeps every clause, on one server and on a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar

from agentkeep_conformance import AdapterConformance
from agentkeep_conformance.servers import REDIS, REDIS_CLUSTER
from agentkeep_redis import RedisAdapter
from redis.asyncio import Redis, RedisCluster

_PAGE = 1_000


def cluster_url(dsn: str) -> str:
    """The suite names a cluster by one of its nodes."""
    return dsn.replace("redis://", "redis+cluster://", 1)


def client_of(dsn: str) -> Any:
    return Redis.from_url(dsn)  # pyright: ignore[reportUnknownMemberType] - the driver leaves it untyped


async def nodes_of(dsn: str) -> list[Any]:
    """A client for each primary: one where there is no cluster. The caller closes them."""
    first = client_of(dsn)
    info = await first.info("cluster")
    if not info.get("cluster_enabled"):
        return [first]
    await first.aclose()
    cluster: Any = RedisCluster.from_url(dsn)
    async with cluster:
        places = [(node.host, node.port) for node in cluster.get_primaries()]
        password = cluster.connection_kwargs.get("password")
    return [Redis(host=host, port=port, password=password) for host, port in places]


async def stored_bytes(dsn: str) -> AsyncIterator[bytes]:
    """Every key, field and value of every node."""
    for node in await nodes_of(dsn):
        async with node:
            async for key in node.scan_iter(count=_PAGE):
                yield key
                async for part in _parts(node, key):
                    yield part


async def _parts(node: Any, key: bytes) -> AsyncIterator[bytes]:
    match await node.type(key):
        case b"string":
            yield await node.get(key) or b""
        case b"list":
            for item in await node.lrange(key, 0, -1):
                yield item
        case b"set":
            for item in await node.smembers(key):
                yield item
        case b"zset":
            for item in await node.zrange(key, 0, -1):
                yield item
        case b"hash":
            for name, value in (await node.hgetall(key)).items():
                yield name
                yield value
        case other:
            assert other == b"none", f"{key!r} is a {other!r}, which the adapter does not use"


async def drop_prefix(dsn: str, prefix: str) -> None:
    """Remove what one namespace made."""
    for node in await nodes_of(dsn):
        async with node:
            async for key in node.scan_iter(match=f"{prefix}:*", count=_PAGE):
                await node.unlink(key)


class Place:
    """What both enrolments are asked, with one answer."""

    one_connection: ClassVar[dict[str, Any]] = {"max_connections": 1}
    impatient: ClassVar[dict[str, Any]] = {"timeout": 0.5}

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        async for part in stored_bytes(dsn):
            yield part

    async def drop(self, dsn: str, namespace: str) -> None:
        await drop_prefix(dsn, namespace)


class TestRedis(Place, AdapterConformance):
    server = REDIS
    round_trips: ClassVar[dict[str, int]] = {"listing": 2}

    def open(self, dsn: str, namespace: str, **options: Any) -> RedisAdapter:
        return RedisAdapter.from_url(dsn, prefix=namespace, **options)


class TestRedisCluster(Place, AdapterConformance):
    server = REDIS_CLUSTER
    round_trips: ClassVar[dict[str, int]] = {"append": 2, "append with ids": 2, "listing": 2}

    def open(self, dsn: str, namespace: str, **options: Any) -> RedisAdapter:
        return RedisAdapter.from_url(cluster_url(dsn), prefix=namespace, **options)
