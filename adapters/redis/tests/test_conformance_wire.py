"""What acts on the wire of a cluster: a cluster of one node, as a proxy can stand before one address only."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from agentkeep_conformance import AdapterConformance, servers
from agentkeep_conformance.storage.redis import RedisStorage
from agentkeep_redis import RedisAdapter


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
        client: Any = adapter._client  # pyright: ignore[reportPrivateUsage] - no user has a use for such an option
        make = client._make

        def make_remapped() -> Any:
            made = make()
            made.client.nodes_manager.address_remap = lambda _: (address.hostname, address.port)  # pyright: ignore[reportUnknownLambdaType]
            return made

        client._make = make_remapped
        return adapter
