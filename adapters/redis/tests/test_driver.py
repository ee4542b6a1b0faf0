"""What driver.py uses of redis-py's undocumented parts: the installed version has all of it.

    uv run --with redis==6.2.0 … pytest adapters/redis/tests/test_driver.py

Run these tests, and test_single.py, under another version to see whether it may be in the range of pyproject.toml.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from agentkeep_redis.driver import SILENT, ServerPool, was_closed
from redis.asyncio import Connection, ConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode, NodesManager
from redis.asyncio.sentinel import SentinelConnectionPool

pytestmark = pytest.mark.anyio

METHODS: list[Callable[..., Any]] = [
    Connection.connect,
    Connection.disconnect,
    Connection.read_response,
    Connection.send_packed_command,
    ConnectionPool.get_connection,
    ConnectionPool.make_connection,
    ConnectionPool.release,
    SentinelConnectionPool.get_connection,
    ClusterNode.acquire_connection,
    ClusterNode.release,
    NodesManager.initialize,
    NodesManager.aclose,
    RedisCluster.get_node,
    RedisCluster.get_node_from_key,
]
PARAMETERS: dict[str, tuple[Callable[..., Any], set[str]]] = {
    "disconnect": (Connection.disconnect, {"nowait"}),
    "read_response": (
        Connection.read_response,
        {"disable_decoding", "timeout", "disconnect_on_error", "push_request"},
    ),
    "send_packed_command": (Connection.send_packed_command, {"check_health"}),
    "get_node": (RedisCluster.get_node, {"host", "port"}),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_methods_take_what_we_give_them(name: str) -> None:
    method, parameters = PARAMETERS[name]
    assert parameters <= inspect.signature(method).parameters.keys()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__qualname__)
def test_methods_wait_as_we_expect(method: Callable[..., Any]) -> None:
    """A method that becomes a coroutine would never run, and one that stops being one can't be awaited."""
    at_once = {"make_connection", "acquire_connection", "get_node", "get_node_from_key"}
    if method is not ClusterNode.release:
        assert inspect.iscoroutinefunction(inspect.unwrap(method)) == (method.__name__ not in at_once)
    else:
        assert not inspect.iscoroutinefunction(method)


def test_a_new_connection_tells_the_server_nothing_about_its_driver() -> None:
    assert SILENT
    assert set(SILENT) <= {"driver_info", "lib_name", "lib_version", "maint_notifications_config"}


async def test_a_connection_shows_its_streams_and_its_end(dsn: str) -> None:
    client: Any = Redis.from_url(dsn)  # pyright: ignore[reportUnknownMemberType] - untyped by the driver
    async with client:
        pool = ServerPool(client, owned=False)
        connection, _ = await pool.acquire(new=False)
        assert connection.is_connected
        assert not was_closed(connection)
        connection._writer.close()
        assert was_closed(connection)
        await pool.release(connection)


async def test_a_client_shows_its_address_and_its_limit(dsn: str) -> None:
    place = urlsplit(dsn)
    client: Any = Redis.from_url(dsn, max_connections=7)  # pyright: ignore[reportUnknownMemberType]
    async with client:
        pool = ServerPool(client, owned=False)
        assert pool.server == f"redis at {place.hostname}:{place.port}"
        assert pool.limit._value == 7


async def test_a_cluster_shows_its_nodes(cluster_dsn: str) -> None:
    cluster: Any = RedisCluster.from_url(cluster_dsn.replace("redis+cluster://", "redis://"), max_connections=7)
    async with cluster:
        node = cluster.get_node_from_key(b"key")
        assert node.max_connections == 7
        assert node.name
        assert cluster.get_node(host=node.host, port=node.port) is node
        connection = node.connection_class(**node.connection_kwargs)
        assert not connection.is_connected
