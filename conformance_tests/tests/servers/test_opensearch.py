"""OpenSearch starts as one node and as three, and keeps what it acknowledged when killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from agentkeep_conformance import servers
from agentkeep_conformance.servers import ChosenServer

pytestmark = pytest.mark.servers

Started = Callable[[ChosenServer], ChosenServer]
Killed = Callable[..., None]
INDEX = "/agentkeep-smoke"


def call(server: ChosenServer, method: str, path: str, body: object = None) -> Any:
    """The server's JSON answer to one request."""
    parts = urlsplit(server.dsn)
    connection = HTTPConnection(str(parts.hostname), parts.port or 9200, timeout=30)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        found = json.load(answer)
        assert answer.status < 300, found
        return found
    finally:
        connection.close()


def found(server: ChosenServer) -> int:
    return call(server, "GET", f"{INDEX}/_search?q=text:hello")["hits"]["total"]["value"]


@pytest.mark.parametrize(
    ("server", "least"), [(servers.OPENSEARCH, 3), (servers.OPENSEARCH_OLDEST, 2)], ids=["newest", "oldest"]
)
def test_it_answers_and_has_what_an_adapter_may_use(server: ChosenServer, least: int, started: Started) -> None:
    started(server)
    assert int(server.version().split(".")[0]) >= least
    assert call(server, "GET", "/")["version"]["number"] == server.version()
    call(server, "DELETE", f"{INDEX}?ignore_unavailable=true")
    call(server, "PUT", f"{INDEX}/_doc/1?refresh=true", {"text": "hello", "count": 1})
    script = {"script": {"lang": "painless", "source": "ctx._source.count += 1"}}
    assert call(server, "POST", f"{INDEX}/_update/1?refresh=true", script)["result"] == "updated"
    assert call(server, "GET", f"{INDEX}/_source/1") == {"text": "hello", "count": 2}
    assert call(server, "POST", f"{INDEX}/_delete_by_query?refresh=true", {"query": {"match_all": {}}})["deleted"] == 1
    call(server, "DELETE", f"{INDEX}?ignore_unavailable=true")


def test_the_cluster_serves_while_one_of_its_three_nodes_is_dead(started: Started, killed: Killed) -> None:
    server = started(servers.OPENSEARCH_CLUSTER)
    assert call(server, "GET", "/_cluster/health")["number_of_nodes"] == 3
    call(server, "DELETE", f"{INDEX}?ignore_unavailable=true")
    call(server, "PUT", INDEX, {"settings": {"number_of_replicas": 2}})
    call(server, "GET", f"/_cluster/health{INDEX}?wait_for_status=green&timeout=60s")
    killed(server, node=2)
    try:
        assert call(server, "PUT", f"{INDEX}/_doc/1?refresh=true&timeout=60s", {"text": "hello"})["result"] == "created"
        assert found(server) == 1
    finally:
        server.restart()
    assert call(server, "GET", "/_cluster/health")["number_of_nodes"] == 3
    call(server, "DELETE", f"{INDEX}?ignore_unavailable=true")


@pytest.mark.parametrize("server", [servers.OPENSEARCH, servers.OPENSEARCH_CLUSTER], ids=lambda server: server.name)
def test_killed_and_restarted_it_has_what_it_acknowledged(
    server: ChosenServer, started: Started, killed: Killed
) -> None:
    call(started(server), "DELETE", f"{INDEX}?ignore_unavailable=true")
    call(server, "PUT", INDEX, {"settings": {"number_of_replicas": 1 if server is servers.OPENSEARCH_CLUSTER else 0}})
    for number in range(10):
        created = call(server, "PUT", f"{INDEX}/_doc/{number}?refresh=true", {"text": "hello", "number": number})
        assert created["result"] == "created"
    assert found(server) == 10
    killed(server)
    try:
        with pytest.raises(OSError, match="refused"):
            call(server, "GET", "/")
    finally:
        server.restart()
    assert found(server) == 10
    assert call(server, "DELETE", f"{INDEX}?ignore_unavailable=true") == {"acknowledged": True}
