"""The Redis adapter keeps every clause, in each topology."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, ClassVar

from agentkeep_conformance import AdapterConformance, OverClient, released, servers
from agentkeep_conformance.storage.redis import RedisStorage, client_of, over_redis
from agentkeep_conformance.storage.redis_troubles import RedisTroubles
from agentkeep_redis import RedisAdapter
from agentkeep_redis.client import ServerClient
from agentkeep_redis.cluster import ClusterClient
from redis.asyncio import RedisCluster

_SHORT = ("sessions", "messages", "idempotency", "watching")


class TestRedis(RedisTroubles, RedisStorage, AdapterConformance):
    server = servers.REDIS
    one_connection: ClassVar[dict[str, Any]] = {"max_connections": 1}
    short_timeout: ClassVar[dict[str, Any]] = {"timeout": 0.5}
    renews_silent_connections = True
    round_trips: ClassVar[dict[str, int]] = {"listing": 2}
    other_options: ClassVar[dict[str, Any]] = {"compress_above": 1}
    has_schema, corpora, clients = True, released(Path(__file__).parent / "corpora"), (ServerClient, ClusterClient)
    small_steps: ClassVar[dict[str, int]] = {
        "agentkeep_redis.listing._WIDTH": 2,
        "agentkeep_redis.listing._WIDER_BITS": 1,
        "agentkeep_redis.sweep._BATCH": 1,
    }

    def open(self, dsn: str, namespace: str, **options: Any) -> RedisAdapter:
        return RedisAdapter.from_url(dsn, prefix=namespace, **options)

    def client(self, dsn: str) -> Any:
        return client_of(dsn)

    def over_client(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[OverClient]:
        client = self.client(dsn)
        return over_redis(client, namespace, RedisAdapter(client, prefix=namespace))

    async def store_schema_version(self, dsn: str, namespace: str, version: int, oldest: int) -> None:
        async with self.client(dsn) as client:
            assert await client.set(f"{namespace}:schema", f"{version} {oldest}", xx=True)


class TestRedisAlways(TestRedis):  # forces each write to the disk: asked what survives a kill
    server, families = servers.REDIS_ALWAYS, ("crashes",)


class TestRedisTls(TestRedis):
    everyday, one_in, server, families, wire = False, 6, servers.REDIS_TLS, _SHORT, "without"


class TestRedisSentinel(TestRedis):
    everyday, one_in, server, families, wire = False, 6, servers.REDIS_SENTINEL, _SHORT, "without"


class TestRedisCluster(TestRedis):  # six nodes; a proxy stands before one address, which the client goes past
    everyday, one_in, server, wire, corpora = False, 6, servers.REDIS_CLUSTER, "without", ()
    without = ("make_read_only", "stop_writes")

    def open(self, dsn: str, namespace: str, **options: Any) -> RedisAdapter:
        return RedisAdapter.from_url(dsn.replace("redis://", "redis+cluster://", 1), prefix=namespace, **options)

    def client(self, dsn: str) -> Any:
        return RedisCluster.from_url(dsn)
