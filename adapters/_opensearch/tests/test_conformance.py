"""The OpenSearch adapter keeps every clause, on one node of each line and on three nodes."""

from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

from agentkeep_conformance import AdapterConformance, OverClient, servers
from agentkeep_conformance.storage.opensearch import OpenSearchStorage, client_of, over_opensearch
from agentkeep_opensearch import OpenSearchAdapter


class TestOpenSearch(OpenSearchStorage, AdapterConformance):
    server = servers.OPENSEARCH
    one_connection: ClassVar[dict[str, Any]] = {"max_connections": 1}
    short_timeout: ClassVar[dict[str, Any]] = {"timeout": 0.5}
    round_trips: ClassVar[dict[str, int]] = {"append": 3, "append with ids": 3, "read": 2, "listing": 2}
    has_schema = True

    def open(self, dsn: str, namespace: str, **options: Any) -> OpenSearchAdapter:
        return OpenSearchAdapter.from_url(dsn, prefix=namespace, **options)

    def over_client(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[OverClient]:
        client = client_of(dsn)
        return over_opensearch(client, OpenSearchAdapter(client, prefix=namespace))


class TestOpenSearchOldest(TestOpenSearch):
    server = servers.OPENSEARCH_OLDEST


class TestOpenSearchCluster(TestOpenSearch):
    server = servers.OPENSEARCH_CLUSTER
