"""Redis: one server with each of its persistence settings, and a cluster of three masters with a replica each."""

from __future__ import annotations

import subprocess
from typing import Any

import redis

from agentkeep_conformance.servers.chosen import Running
from agentkeep_conformance.servers.containers import start_container
from agentkeep_conformance.servers.model import NotRun
from agentkeep_conformance.servers.native import Native
from agentkeep_conformance.servers.process import Process
from agentkeep_conformance.servers.programs import program
from agentkeep_conformance.servers.run import Run, current_run, free_ports

_INSTALL = "docker/native/install redis"
_NODES = 6
_WITH_REPLICA = 4
"""Fields of a range of slots: its two ends, its master, and each replica that has the data."""


class Redis:
    """One Redis with these settings of its own configuration file."""

    def __init__(self, name: str, *, appendonly: str, appendfsync: str) -> None:
        self.name = name
        self._settings = {"appendonly": appendonly, "appendfsync": appendfsync, "save": '""'}

    def check(self, dsn: str) -> str:
        return _check(dsn)

    def in_container(self) -> Running:
        password = current_run().password
        words = [f"--{name} {value}" for name, value in (self._settings | {"requirepass": password}).items()]
        return start_container(
            self.name,
            image="redis:8.2.1",
            image_variable="AGENTKEEP_TEST_REDIS_IMAGE",
            port=6379,
            command=" ".join(["redis-server", *words]),
            dsn=f"redis://:{password}@{{address}}/0",
            check=self.check,
        )

    def native(self) -> Running:
        run = current_run()
        (port,) = free_ports(1)
        process = _start(run, self.name, port, self._settings)
        server = Native(f"redis://:{run.password}@127.0.0.1:{port}/0", [process], self.check)
        server.wait()
        return server


class RedisCluster:
    """A Redis Cluster on loopback, nodes 0 to 2 masters at first; its URL names the first as the seed."""

    name = "redis_cluster"

    def check(self, dsn: str) -> str:
        with _client(dsn) as client:
            if client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
                raise RuntimeError("the cluster does not serve all slots")
        return _check(dsn)

    def in_container(self) -> Running:
        raise NotRun("it is started from a program of this machine, or by docker/compose.yaml and its URL")

    def native(self) -> Running:
        run = current_run()
        client = program("redis-cli", _INSTALL)
        ports = free_ports(2 * _NODES)
        nodes = list(zip(ports[:_NODES], ports[_NODES:], strict=True))
        processes = [
            _start(run, f"{self.name}_{number}", port, _cluster_settings(bus))
            for number, (port, bus) in enumerate(nodes)
        ]
        dsns = [f"redis://:{run.password}@127.0.0.1:{port}" for port, _ in nodes]
        for dsn, process in zip(dsns, processes, strict=True):
            Native(dsn, [process], _check).wait()
        _join(client, run, [port for port, _ in nodes])
        cluster = Native(dsns[0], processes, lambda _: self._settled(dsns))
        cluster.wait()
        return cluster

    def _settled(self, dsns: list[str]) -> str:
        """Every node serves, and knows a replica of each master."""
        for dsn in dsns:
            with _client(dsn) as client:
                ranges: list[list[Any]] = client.execute_command("CLUSTER SLOTS")
            if any(len(owners) < _WITH_REPLICA for owners in ranges):
                raise RuntimeError("a master has no replica yet")
        return min(self.check(dsn) for dsn in dsns)


def _cluster_settings(bus: int) -> dict[str, str]:
    return {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "cluster-enabled": "yes",
        "cluster-port": str(bus),
        "cluster-node-timeout": "5000",
    }


def _start(run: Run, name: str, port: int, settings: dict[str, str]) -> Process:
    """A Redis of its own folder. Its settings are in a file: the password is not for the process list."""
    server = program("redis-server", _INSTALL)
    folder = run.data(name)
    # No waiting for replicas at the end: the data goes with the run.
    place = {"bind": "127.0.0.1", "port": str(port), "dir": str(folder), "shutdown-timeout": "0"}
    secret = {"requirepass": run.password, "masterauth": run.password}
    lines = [f"{key} {value}" for key, value in (place | secret | settings).items()]
    (folder / "redis.conf").write_text("\n".join([*lines, ""]))
    return run.process(name, [server, str(folder / "redis.conf")])


def _join(client: str, run: Run, ports: list[int]) -> None:
    """Make one cluster of the nodes; the first half become masters."""
    nodes = [f"127.0.0.1:{port}" for port in ports]
    done = subprocess.run(
        [client, "--cluster", "create", *nodes, "--cluster-replicas", "1", "--cluster-yes"],
        env={"REDISCLI_AUTH": run.password},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotRun(f"redis-cli could not make the cluster: {' '.join(done.stdout.split())[-300:]}")


def _check(dsn: str) -> str:
    with _client(dsn) as client:
        return str(client.info("server")["redis_version"])


def _client(dsn: str) -> Any:
    """redis-py leaves the types of its answers open."""
    return redis.Redis.from_url(dsn, socket_connect_timeout=5, socket_timeout=5)  # pyright: ignore[reportUnknownMemberType]
