"""What acts on the wire of a cluster: a cluster of one node, as a proxy can stand before one address only."""

from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

from agentkeep_conformance import AdapterConformance, servers
from agentkeep_conformance.storage.redis import RedisStorage
from agentkeep_redis import RedisAdapter
from redis.asyncio import RedisCluster


class TestRedisClusterOfOne(RedisStorage, AdapterConformance):
    server, wire = servers.REDIS_CLUSTER_OF_ONE, "only"
    one_connection: ClassVar[dict[str, Any]] = {"max_connections": 1}
    short_timeout: ClassVar[dict[str, Any]] = {"timeout": 0.5}
    round_trips: ClassVar[dict[str, int]] = {"append": 2, "append with ids": 2, "listing": 2, "greeting": 1}

    def open(self, dsn: str, namespace: str, **options: Any) -> RedisAdapter:
        """The node tells its own address; what is opened over the proxy has to stay there."""
        url = dsn.replace("redis://", "redis+cluster://", 1)
        adapter = RedisAdapter.from_url(url, prefix=namespace, **options)
        address = urlsplit(dsn)
        make = adapter._make  # pyright: ignore[reportPrivateUsage] - no user has a use for such an option

        def make_remapped() -> Any:
            client, others = make()
            nodes: Any = cast("RedisCluster", client).nodes_manager
            nodes.address_remap = lambda _: (address.hostname, address.port)  # pyright: ignore[reportUnknownLambdaType]
            return client, others

        adapter._make = make_remapped  # pyright: ignore[reportPrivateUsage]
        return adapter
