"""A Redis Cluster of one node, which fits behind a proxy: index and session are on one server."""

from __future__ import annotations

from agentkeep_conformance.servers.chosen import Running
from agentkeep_conformance.servers.containers import start_container
from agentkeep_conformance.servers.redis import (
    IMAGE,
    IMAGE_VARIABLE,
    check,
    client_of,
    cluster_settings,
    command_line,
    start_redis,
)
from agentkeep_conformance.servers.run import current_run, free_ports
from agentkeep_conformance.servers.started import Node, Started

_LAST_SLOT = 16_383


class RedisClusterOfOne:
    """One node that has all slots. The adapter can't know that it is the only one."""

    name = "redis_cluster_of_one"

    def check(self, dsn: str) -> str:
        with client_of(dsn) as client:
            if client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
                raise RuntimeError("the cluster does not serve all slots yet")
        return check(dsn)

    def in_container(self) -> Running:
        """On the host's own network: the node tells clients its address, so it has to be right outside too."""
        port, bus = free_ports(2)
        settings = {"bind": "127.0.0.1", "port": str(port), "requirepass": current_run().password}
        container = start_container(
            self.name,
            image=IMAGE,
            image_variable=IMAGE_VARIABLE,
            port=None,
            command=command_line(settings | cluster_settings(bus)),
        )
        return self._with_all_slots(port, container)

    def native(self) -> Running:
        port, bus = free_ports(2)
        return self._with_all_slots(port, start_redis(current_run(), self.name, port, cluster_settings(bus)))

    def _with_all_slots(self, port: int, node: Node) -> Running:
        dsn = f"redis://:{current_run().password}@127.0.0.1:{port}"
        Started(dsn, [node], self._take_all_slots).wait()
        server = Started(dsn, [node], self.check)
        server.wait()
        return server

    def _take_all_slots(self, dsn: str) -> str:
        with client_of(dsn) as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE", 0, _LAST_SLOT)
        return ""
