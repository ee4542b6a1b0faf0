"""Redis starts with each of its persistence settings, and what they promise is what a killed server comes back with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from agentkeep_conformance import servers
from agentkeep_conformance.servers import ChosenServer

pytestmark = pytest.mark.servers

Started = Callable[[ChosenServer], ChosenServer]
Killed = Callable[..., None]


def client(server: ChosenServer) -> Any:
    """redis-py leaves the types of its answers open."""
    return redis.Redis.from_url(server.dsn, decode_responses=True)  # pyright: ignore[reportUnknownMemberType]


def test_it_answers_and_says_its_version(started: Started) -> None:
    server = started(servers.REDIS)
    with client(server) as connection:
        assert connection.ping() is True
    assert int(server.version().split(".")[0]) >= 7


@pytest.mark.parametrize(
    ("server", "settings"),
    [
        (servers.REDIS, ("yes", "everysec")),
        (servers.REDIS_ALWAYS, ("yes", "always")),
        (servers.REDIS_NO_FSYNC, ("yes", "no")),
        (servers.REDIS_MEMORY, ("no", "no")),
    ],
    ids=lambda value: value.name if isinstance(value, ChosenServer) else "",
)
def test_it_has_the_persistence_that_its_name_says(
    server: ChosenServer, settings: tuple[str, str], started: Started
) -> None:
    with client(started(server)) as connection:
        found = connection.config_get("append*")
    assert (found["appendonly"], found["appendfsync"]) == settings


@pytest.mark.parametrize(
    ("server", "kept"), [(servers.REDIS_ALWAYS, "value"), (servers.REDIS_MEMORY, None)], ids=["always", "memory"]
)
def test_killed_and_restarted_it_has_what_its_persistence_promises(
    server: ChosenServer, kept: str | None, started: Started, killed: Killed
) -> None:
    with client(started(server)) as connection:
        connection.set("agentkeep-smoke", "value")
    killed(server)
    try:
        with client(server) as connection, pytest.raises(redis.ConnectionError):
            connection.ping()
    finally:
        server.restart()
    with client(server) as connection:
        assert connection.get("agentkeep-smoke") == kept
        connection.delete("agentkeep-smoke")


def cluster(server: ChosenServer) -> Any:
    return redis.RedisCluster.from_url(server.dsn, decode_responses=True)  # pyright: ignore[reportUnknownMemberType]


def replicas_of(server: ChosenServer) -> int:
    """How many have their master's data; a cluster that was just made serves before they have."""
    with cluster(server) as connection:
        return len(connection.get_replicas())


def test_the_cluster_spreads_keys_over_three_masters_with_a_replica_each(started: Started) -> None:
    server = started(servers.REDIS_CLUSTER)
    deadline = time.monotonic() + 30
    while replicas_of(server) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert replicas_of(server) == 3
    with cluster(server) as connection:
        assert len(connection.get_primaries()) == 3
        keys = [f"agentkeep-smoke-{number}" for number in range(30)]
        assert all(connection.set(key, key) for key in keys)
        assert [connection.get(key) for key in keys] == keys
        assert len({connection.get_node_from_key(key).port for key in keys}) == 3
        for key in keys:
            connection.delete(key)


def test_the_cluster_serves_all_slots_again_after_one_node_and_after_all_were_killed(
    started: Started, killed: Killed
) -> None:
    server = started(servers.REDIS_CLUSTER)
    with cluster(server) as connection:
        connection.set("agentkeep-smoke", "value")
        killed(server, node=1)
        server.restart()
    killed(server)
    server.restart()
    with cluster(server) as connection:
        assert connection.get("agentkeep-smoke") == "value"
        connection.delete("agentkeep-smoke")
