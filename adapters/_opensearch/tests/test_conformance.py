"""The OpenSearch adapter keeps every clause, on one node of each line and on three nodes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from agentkeep_conformance import AdapterConformance, OverClient, servers
from agentkeep_conformance.storage.opensearch import OpenSearchStorage
from agentkeep_opensearch import OpenSearchAdapter
from opensearchpy import AsyncOpenSearch


class TestOpenSearch(OpenSearchStorage, AdapterConformance):
    server = servers.OPENSEARCH
    one_connection: ClassVar[dict[str, Any]] = {"max_connections": 1}
    short_timeout: ClassVar[dict[str, Any]] = {"timeout": 0.5}
    round_trips: ClassVar[dict[str, int]] = {"append": 3, "append with ids": 3, "read": 2, "listing": 2}
    has_schema = True

    def open(self, dsn: str, namespace: str, **options: Any) -> OpenSearchAdapter:
        return OpenSearchAdapter.from_url(dsn, prefix=namespace, **options)

    @asynccontextmanager
    async def over_client(self, dsn: str, namespace: str) -> AsyncGenerator[OverClient]:
        async with AsyncOpenSearch(hosts=[dsn.replace("opensearch", "http", 1)]) as client:

            async def client_works() -> bool:
                return bool((await client.info())["version"])

            yield OverClient(OpenSearchAdapter(client, prefix=namespace), client_works)


class TestOpenSearchOldest(TestOpenSearch):
    server = servers.OPENSEARCH_OLDEST


class TestOpenSearchCluster(TestOpenSearch):
    server = servers.OPENSEARCH_CLUSTER
