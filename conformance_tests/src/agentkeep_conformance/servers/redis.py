"""Redis: one server with each of its persistence settings, and a cluster of three masters with a replica each."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from typing import Any

import redis

from agentkeep_conformance.servers.chosen import Running
from agentkeep_conformance.servers.containers import start_container
from agentkeep_conformance.servers.model import NotRun
from agentkeep_conformance.servers.process import Process
from agentkeep_conformance.servers.programs import program
from agentkeep_conformance.servers.run import Run, current_run, free_ports
from agentkeep_conformance.servers.started import Node, Started

INSTALL = "docker/native/install redis"
IMAGE = "redis:8.2.1"
IMAGE_VARIABLE = "AGENTKEEP_TEST_REDIS_IMAGE"
_NODES = 6
_WITH_REPLICA = 4
"""Fields of a range of slots: its two ends, its master, and each replica that has the data."""


class Redis:
    """One Redis with these settings of its own configuration file."""

    def __init__(self, name: str, *, appendonly: str, appendfsync: str) -> None:
        self.name = name
        self._settings = {"appendonly": appendonly, "appendfsync": appendfsync, "save": '""'}
        self._settings["enable-protected-configs"] = "yes"  # so that a test can make a snapshot fail

    def check(self, dsn: str) -> str:
        return check(dsn)

    def in_container(self) -> Running:
        password = current_run().password
        container = start_container(
            self.name,
            image=IMAGE,
            image_variable=IMAGE_VARIABLE,
            port=6379,
            command=command_line(self._settings | {"requirepass": password}),
        )
        server = Started(f"redis://:{password}@{container.address}/0", [container], self.check)
        server.wait()
        return server

    def native(self) -> Running:
        run = current_run()
        (port,) = free_ports(1)
        process = start_redis(run, self.name, port, self._settings)
        server = Started(f"redis://:{run.password}@127.0.0.1:{port}/0", [process], self.check)
        server.wait()
        return server


class RedisCluster:
    """A Redis Cluster on loopback, nodes 0 to 2 masters at first; its URL names the first as the seed."""

    name = "redis_cluster"

    def check(self, dsn: str) -> str:
        with client_of(dsn) as client:
            if client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
                raise RuntimeError("the cluster does not serve all slots")
        return check(dsn)

    def in_container(self) -> Running:
        """On the host's own network: the nodes tell clients their addresses, so these have to hold outside too."""
        run = current_run()
        nodes = _ports()
        secret = {"bind": "127.0.0.1", "requirepass": run.password, "masterauth": run.password}
        containers = [
            start_container(
                f"{self.name}_{number}",
                image=IMAGE,
                image_variable=IMAGE_VARIABLE,
                port=None,
                command=command_line({"port": str(port)} | secret | cluster_settings(bus)),
            )
            for number, (port, bus) in enumerate(nodes)
        ]
        create = _create(nodes)
        return self._joined(nodes, containers, lambda: containers[0].run(create, {"REDISCLI_AUTH": run.password}))

    def native(self) -> Running:
        run = current_run()
        create = [program("redis-cli", INSTALL), *_create(nodes := _ports())[1:]]
        processes = [
            start_redis(run, f"{self.name}_{number}", port, cluster_settings(bus))
            for number, (port, bus) in enumerate(nodes)
        ]
        return self._joined(nodes, processes, lambda: _run_to_end(create, {"REDISCLI_AUTH": run.password}))

    def _joined(self, ports: list[tuple[int, int]], nodes: Sequence[Node], join: Callable[[], None]) -> Running:
        """One cluster of nodes that were just started."""
        dsns = [f"redis://:{current_run().password}@127.0.0.1:{port}" for port, _ in ports]
        for dsn, node in zip(dsns, nodes, strict=True):
            Started(dsn, [node], check).wait()
        join()
        cluster = Started(dsns[0], nodes, lambda _: self._settled(dsns))
        cluster.wait()
        return cluster

    def _settled(self, dsns: list[str]) -> str:
        """Every node serves, and knows a replica of each master."""
        for dsn in dsns:
            with client_of(dsn) as client:
                ranges: list[list[Any]] = client.execute_command("CLUSTER SLOTS")
            if any(len(owners) < _WITH_REPLICA for owners in ranges):
                raise RuntimeError("a master has no replica yet")
        return min(self.check(dsn) for dsn in dsns)


def cluster_settings(bus: int) -> dict[str, str]:
    return {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "cluster-enabled": "yes",
        "cluster-port": str(bus),
        "cluster-node-timeout": "5000",
    }


def start_redis(run: Run, name: str, port: int, settings: dict[str, str]) -> Process:
    """A Redis of its own folder. Its settings are in a file: the password is not for the process list."""
    server = program("redis-server", INSTALL)
    folder = run.data(name)
    # No waiting for replicas at the end: the data goes with the run.
    place = {"bind": "127.0.0.1", "port": str(port), "dir": str(folder), "shutdown-timeout": "0"}
    secret = {"requirepass": run.password, "masterauth": run.password}
    lines = [f"{key} {value}" for key, value in (place | secret | settings).items()]
    (folder / "redis.conf").write_text("\n".join([*lines, ""]))
    return run.process(name, [server, str(folder / "redis.conf")])


def _ports() -> list[tuple[int, int]]:
    """Each node's port and the one of its bus."""
    ports = free_ports(2 * _NODES)
    return list(zip(ports[:_NODES], ports[_NODES:], strict=True))


def _create(nodes: list[tuple[int, int]]) -> list[str]:
    """The command that makes one cluster of the nodes; the first half become masters."""
    addresses = [f"127.0.0.1:{port}" for port, _ in nodes]
    return ["redis-cli", "--cluster", "create", *addresses, "--cluster-replicas", "1", "--cluster-yes"]


def _run_to_end(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRun(f"redis-cli could not make the cluster: {' '.join(done.stdout.split())[-300:]}")


def command_line(settings: dict[str, str]) -> str:
    return " ".join(["redis-server", *(f"--{name} {value}" for name, value in settings.items())])


def check(dsn: str) -> str:
    with client_of(dsn) as client:
        client.ping()  # INFO is answered while the data is still being loaded
        return _version(client.info("server"))


def _version(info: dict[str, Any]) -> str:
    """Valkey says the Redis version that it is compatible with beside its own."""
    return (
        f"{info['redis_version']} (valkey {info['valkey_version']})"
        if "valkey_version" in info
        else info["redis_version"]
    )


def client_of(dsn: str) -> Any:
    """redis-py leaves the types of its answers open."""
    return redis.Redis.from_url(dsn, socket_connect_timeout=5, socket_timeout=5)  # pyright: ignore[reportUnknownMemberType]
