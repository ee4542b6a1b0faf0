"""A Redis primary with a replica, watched by three Sentinels."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import redis

from agentkeep_conformance.servers.chosen import Running
from agentkeep_conformance.servers.model import NotRun
from agentkeep_conformance.servers.process import Process
from agentkeep_conformance.servers.programs import program
from agentkeep_conformance.servers.redis import INSTALL, start_redis
from agentkeep_conformance.servers.run import Run, current_run, free_ports
from agentkeep_conformance.servers.started import Started

SERVICE = "agentkeep"
_SENTINELS = 3
_QUORUM = 2
_DOWN_AFTER = "1000"
_FAILOVER_TIMEOUT = "5000"
"""Milliseconds: how long a primary is silent until it counts as down, and how long one failover may take."""


class RedisSentinel:
    """Nodes 0 and 1 hold the data, 0 as the primary at first; its URL names the three Sentinels."""

    name = "redis_sentinel"

    def check(self, dsn: str) -> str:
        """The version of the primary, whose replica and Sentinels all know of one another."""
        parts = urlsplit(dsn)
        places = [place.rpartition(":") for place in parts.netloc.rpartition("@")[2].split(",")]
        primaries = {_named_by(host, int(port)) for host, _, port in places}
        if len(primaries) > 1:
            raise RuntimeError("the Sentinels do not agree")
        return _followed(*primaries.pop(), parts.password)

    def in_container(self) -> Running:
        raise NotRun("it is started from programs of this machine, or given by its URL")

    def native(self) -> Running:
        run = current_run()
        primary, replica, *sentinels = free_ports(2 + _SENTINELS)
        always = {"appendonly": "yes", "appendfsync": "always", "save": '""', "repl-diskless-sync-delay": "0"}
        nodes = [
            start_redis(run, f"{self.name}_0", primary, always),
            start_redis(run, f"{self.name}_1", replica, {**always, "replicaof": f"127.0.0.1 {primary}"}),
        ]
        Started("", nodes, lambda _: _followed("127.0.0.1", primary, run.password)).wait()
        nodes += [_start_sentinel(run, f"{self.name}_{n}", port, primary) for n, port in enumerate(sentinels, 2)]
        places = ",".join(f"127.0.0.1:{port}" for port in sentinels)
        server = Started(f"redis+sentinel://:{run.password}@{places}/{SERVICE}/0", nodes, self.check)
        server.wait()
        return server


def _named_by(host: str, port: int) -> tuple[str, int]:
    """The primary, as one Sentinel that knows its replica and the other Sentinels names it."""
    asked: Any = redis.Redis(host, port, socket_timeout=5, decode_responses=True)
    with asked:
        state = asked.sentinel_master(SERVICE)
    if state["flags"] != "master" or state["num-slaves"] < 1 or state["num-other-sentinels"] < _SENTINELS - 1:
        raise RuntimeError("a Sentinel does not know all others yet")
    return state["ip"], state["port"]


def _followed(host: str, port: int, password: str | None) -> str:
    """The version of a primary that has its replica."""
    client: Any = redis.Redis(host, port, password=password, socket_timeout=5)
    with client:
        client.ping()
        replication = client.info("replication")
        states = [value["state"] for name, value in replication.items() if name.startswith("slave")]
        if replication["role"] != "master" or "online" not in states:
            raise RuntimeError("the primary has no replica yet")
        return str(client.info("server")["redis_version"])


def _start_sentinel(run: Run, name: str, port: int, primary: int) -> Process:
    server = program("redis-server", INSTALL)
    folder = run.data(name)
    lines = [
        f"bind 127.0.0.1\nport {port}\ndir {folder}",
        f"sentinel monitor {SERVICE} 127.0.0.1 {primary} {_QUORUM}",
        f"sentinel auth-pass {SERVICE} {run.password}",
        f"sentinel down-after-milliseconds {SERVICE} {_DOWN_AFTER}",
        f"sentinel failover-timeout {SERVICE} {_FAILOVER_TIMEOUT}\n",
    ]
    (folder / "sentinel.conf").write_text("\n".join(lines))
    return run.process(name, [server, str(folder / "sentinel.conf"), "--sentinel"])
