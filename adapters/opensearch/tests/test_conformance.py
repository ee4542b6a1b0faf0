"""The OpenSearch adapter keeps every clause, on one node of each line and on three nodes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from agentkeep_conformance import AdapterConformance, OverClient, servers
from agentkeep_conformance.storage.opensearch import OpenSearchStorage
from agentkeep_conformance.storage.opensearch_troubles import OpenSearchTroubles
from agentkeep_opensearch import OpenSearchAdapter
from opensearchpy import AsyncOpenSearch

_EVERYDAY = (Path(__file__).parent / "everyday.txt").read_text().split()
"""Families in which each clause has a test, and quick ones. The others run nightly, as requests take long here."""


class TestOpenSearch(OpenSearchTroubles, OpenSearchStorage, AdapterConformance):
    server, nightly_runs_all, one_in, one_of_each, families = servers.OPENSEARCH, True, 6, True, _EVERYDAY
    one_connection: ClassVar[dict[str, Any]] = {"max_connections": 1}
    short_timeout: ClassVar[dict[str, Any]] = {"timeout": 0.5}
    renews_silent_connections = True
    round_trips: ClassVar[dict[str, int]] = {
        "append": 2,
        "append with ids": 3,
        "append with create": 3,
        "append beside later ids": 3,  # without the load only while all ids that it holds are earlier (ADR 8)
        "read": 2,
        "listing": 2,
    }
    has_schema = True
    small_steps: ClassVar[dict[str, int]] = {
        "agentkeep_opensearch.appending._MOST_APPENDS": 2,
        "agentkeep_opensearch.bulk._BYTES": 1_000,
        "agentkeep_opensearch.commit._KNOWN_SESSIONS": 1,
        "agentkeep_opensearch.commit._MANY_PENDING": 3,
        "agentkeep_opensearch.copying._SLICE": 2,
        "agentkeep_opensearch.copying._SMALL": 2,
        "agentkeep_opensearch.copying._SMALL_CHARACTERS": 500,
        "agentkeep_opensearch.erasing._SLICE": 2,
        "agentkeep_opensearch.heads._KNOWN_SESSIONS": 2,
        "agentkeep_opensearch.listing._MANY_LABELS": 1,
        "agentkeep_opensearch.listing._MOST_ENDED": 1,
        "agentkeep_opensearch.other_orders._FIRST_LOOK": 2,
        "agentkeep_opensearch.other_orders._AIM": 1,
        "agentkeep_opensearch.other_orders._GROWTH": 2,
        "agentkeep_opensearch.removal._MOST_AT_ONCE": 2,
        "agentkeep_opensearch.search._MOST_CLAUSES": 2,
        "agentkeep_opensearch.search._PAGE": 2,
    }

    def open(self, dsn: str, namespace: str, **options: Any) -> OpenSearchAdapter:
        return OpenSearchAdapter.from_url(dsn, prefix=namespace, **options)

    @asynccontextmanager
    async def over_client(self, dsn: str, namespace: str) -> AsyncGenerator[OverClient]:
        async with AsyncOpenSearch(hosts=[dsn.replace("opensearch", "http", 1)]) as client:

            async def client_works() -> bool:
                return bool((await client.info())["version"])

            yield OverClient(OpenSearchAdapter(client, prefix=namespace), client_works)


class TestOpenSearchOldest(TestOpenSearch):
    one_in, one_of_each, server, draws_long_tests = 60, False, servers.OPENSEARCH_OLDEST, False


class TestOpenSearchCluster(TestOpenSearch):
    one_in, one_of_each, server, draws_long_tests = 60, False, servers.OPENSEARCH_CLUSTER, False
