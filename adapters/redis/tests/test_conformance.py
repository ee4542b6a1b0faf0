"""The Redis adapter keeps every clause, on one server and on a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

from agentkeep_conformance import AdapterConformance
from agentkeep_conformance.families.upgrade import released
from agentkeep_conformance.hooks import Given
from agentkeep_conformance.servers import (
    REDIS,
    REDIS_ALWAYS,
    REDIS_CLUSTER,
    REDIS_SENTINEL,
    REDIS_TLS,
    ChosenServer,
    NotRun,
)
from agentkeep_conformance.servers.chosen import Running
from agentkeep_conformance.servers.containers import start_container
from agentkeep_conformance.servers.run import current_run, free_ports
from agentkeep_conformance.servers.started import Node, Started
from agentkeep_redis import RedisAdapter
from redis import Redis as SyncRedis
from redis.asyncio import Redis, RedisCluster

_PAGE = 1_000


def cluster_url(dsn: str) -> str:
    """The suite names a cluster by one of its nodes."""
    return dsn.replace("redis://", "redis+cluster://", 1)


def client_of(dsn: str) -> Any:
    return Redis.from_url(dsn)  # pyright: ignore[reportUnknownMemberType] - the driver leaves it untyped


def sync_client_of(dsn: str) -> Any:
    return SyncRedis.from_url(dsn)  # pyright: ignore[reportUnknownMemberType]


async def primary_of(dsn: str) -> Any:
    """The server that the Sentinels of a URL name now."""
    parts = urlsplit(dsn)
    host, _, port = parts.netloc.rpartition("@")[2].partition(",")[0].rpartition(":")
    asked: Any = Redis(host=host, port=int(port))
    async with asked:
        state = await asked.sentinel_master(parts.path.split("/")[1])
    return Redis(host=state["ip"], port=state["port"], password=parts.password)


async def nodes_of(dsn: str) -> list[Any]:
    """A client for each primary: one where there is no cluster. The caller closes them."""
    if dsn.startswith("redis+sentinel://"):
        return [await primary_of(dsn)]
    first = client_of(dsn)
    info = await first.info("cluster")
    if not info.get("cluster_enabled"):
        return [first]
    await first.aclose()
    cluster: Any = RedisCluster.from_url(dsn)
    async with cluster:
        places = [(node.host, node.port) for node in cluster.get_primaries()]
        password = cluster.connection_kwargs.get("password")
    return [Redis(host=host, port=port, password=password) for host, port in places]


async def stored_bytes(dsn: str) -> AsyncIterator[bytes]:
    """Every key, field and value of every node."""
    for node in await nodes_of(dsn):
        async with node:
            async for key in node.scan_iter(count=_PAGE):
                yield key
                async for part in _parts(node, key):
                    yield part


async def _parts(node: Any, key: bytes) -> AsyncIterator[bytes]:
    match await node.type(key):
        case b"string":
            yield await node.get(key) or b""
        case b"list":
            for item in await node.lrange(key, 0, -1):
                yield item
        case b"set":
            for item in await node.smembers(key):
                yield item
        case b"zset":
            for item in await node.zrange(key, 0, -1):
                yield item
        case b"hash":
            for name, value in (await node.hgetall(key)).items():
                yield name
                yield value
        case other:
            assert other == b"none", f"{key!r} is a {other!r}, which the adapter does not use"


async def drop_prefix(dsn: str, prefix: str) -> None:
    """Remove what one namespace made."""
    for node in await nodes_of(dsn):
        async with node:
            async for key in node.scan_iter(match=f"{prefix}:*", count=_PAGE):
                await node.unlink(key)


_NAMESPACE = "n0000000000"
"""What stands for the namespace in a corpus."""


async def save(dsn: str, namespace: str, file: Path) -> None:
    """Each key with its end in milliseconds since 1970 (-1: none) and its value, as DUMP gives it."""
    lines: list[str] = []
    async with client_of(dsn) as client:
        async for key in client.scan_iter(match=f"{namespace}:*", count=_PAGE):
            ends, value = await client.pexpiretime(key), await client.dump(key)
            lines.append(f"{key.decode().replace(namespace, _NAMESPACE)} {ends} {value.hex()}")
    await asyncio.to_thread(file.write_text, "\n".join(sorted(lines)) + "\n")


async def load(dsn: str, namespace: str, file: Path) -> None:
    text = await asyncio.to_thread(file.read_text)
    async with client_of(dsn) as client:
        for line in text.splitlines():
            key, ends, value = line.split(" ")
            await client.restore(
                key.replace(_NAMESPACE, namespace), max(0, int(ends)), bytes.fromhex(value), absttl=int(ends) > 0
            )


class Place:
    """What both enrolments are asked, with one answer."""

    one_connection: ClassVar[dict[str, Any]] = {"max_connections": 1}
    impatient: ClassVar[dict[str, Any]] = {"timeout": 0.5}
    unmanaged: ClassVar[dict[str, Any]] = {"manage_schema": False}

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        async for part in stored_bytes(dsn):
            yield part

    async def drop(self, dsn: str, namespace: str) -> None:
        await drop_prefix(dsn, namespace)

    async def make_newer(self, dsn: str, namespace: str) -> None:
        async with self.client(dsn) as client:
            assert await client.set(f"{namespace}:schema", 999, xx=True)

    @asynccontextmanager
    async def over_given(self, dsn: str, namespace: str) -> AsyncGenerator[Given]:
        async with self.client(dsn) as client:

            async def usable() -> bool:
                return bool(await client.set(f"{namespace}:usable", 1, px=1))

            yield Given(RedisAdapter(client, prefix=namespace), usable)

    def client(self, dsn: str) -> Any:
        return client_of(dsn)


class TestRedis(Place, AdapterConformance):
    server = REDIS
    round_trips: ClassVar[dict[str, int]] = {"listing": 2}
    corpora = released(Path(__file__).parent / "corpora")

    def open(self, dsn: str, namespace: str, **options: Any) -> RedisAdapter:
        return RedisAdapter.from_url(dsn, prefix=namespace, **options)

    async def save_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await save(dsn, namespace, file)

    async def load_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await load(dsn, namespace, file)


class TestRedisAlways(Place, AdapterConformance):
    """What is killed, asked of a server that forces each write to the disk: see conftest.py."""

    server = REDIS_ALWAYS

    def open(self, dsn: str, namespace: str, **options: Any) -> RedisAdapter:
        return RedisAdapter.from_url(dsn, prefix=namespace, **options)


class TestRedisTls(Place, AdapterConformance):
    """A short selection: see conftest.py."""

    server = REDIS_TLS

    def open(self, dsn: str, namespace: str, **options: Any) -> RedisAdapter:
        return RedisAdapter.from_url(dsn, prefix=namespace, **options)


class TestRedisSentinel(Place, AdapterConformance):
    """A short selection: see conftest.py."""

    server = REDIS_SENTINEL

    def open(self, dsn: str, namespace: str, **options: Any) -> RedisAdapter:
        return RedisAdapter.from_url(dsn, prefix=namespace, **options)


class TestRedisCluster(Place, AdapterConformance):
    """Of six nodes. What acts on the wire is asked of a cluster of one, which fits behind a proxy: see conftest.py."""

    server = REDIS_CLUSTER

    def open(self, dsn: str, namespace: str, **options: Any) -> RedisAdapter:
        return RedisAdapter.from_url(cluster_url(dsn), prefix=namespace, **options)

    def client(self, dsn: str) -> Any:
        return RedisCluster.from_url(dsn)


class ClusterOfOne:
    """One node that holds all slots: index and session are on one server, and the adapter can't know it."""

    name = "redis_cluster_of_one"

    def check(self, dsn: str) -> str:
        with sync_client_of(dsn) as client:
            state = client.execute_command("CLUSTER INFO")
            if state["cluster_state"] != "ok":
                raise RuntimeError("the cluster does not serve all slots yet")
            info = client.info("server")
            return str(info["redis_version"])

    def in_container(self) -> Running:
        """On the host's own network: the node tells clients its address, so that has to hold outside too."""
        password = current_run().password
        port, bus = free_ports(2)
        words = f"--bind 127.0.0.1 --port {port} --cluster-port {bus} --cluster-enabled yes --requirepass {password}"
        container = start_container(
            self.name,
            image="redis:8.2.1",
            image_variable="AGENTKEEP_TEST_REDIS_IMAGE",
            port=None,
            command=f'redis-server {words} --appendonly yes --appendfsync everysec --save ""',
        )
        return self._taken(port, container)

    def native(self) -> Running:
        program = which("redis-server")
        if program is None:
            raise NotRun("redis-server is not installed")
        run = current_run()
        folder = run.data(self.name)
        port, bus = free_ports(2)
        lines = [
            f"bind 127.0.0.1\nport {port}\ncluster-port {bus}\ncluster-enabled yes\ndir {folder}",
            f'requirepass {run.password}\nappendonly yes\nappendfsync everysec\nsave ""\n',
        ]
        (folder / "redis.conf").write_text("\n".join(lines))
        process = run.process(self.name, [program, str(folder / "redis.conf")])
        return self._taken(port, process)

    def _taken(self, port: int, node: Node) -> Running:
        dsn = f"redis://:{current_run().password}@127.0.0.1:{port}"
        Started(dsn, [node], self._take_all_slots).wait()
        server = Started(dsn, [node], self.check)
        server.wait()
        return server

    def _take_all_slots(self, dsn: str) -> str:
        with sync_client_of(dsn) as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16_383)
        return ""


class TestRedisClusterOfOne(Place, AdapterConformance):
    """The wire of a cluster. What needs no wire is asked of six nodes: see conftest.py."""

    server = ChosenServer("redis_cluster_of_one", ClusterOfOne)
    round_trips: ClassVar[dict[str, int]] = {"append": 2, "append with ids": 2, "listing": 2, "greeting": 1}

    def open(self, dsn: str, namespace: str, **options: Any) -> RedisAdapter:
        """The node tells its own address; what is opened over the proxy has to stay there."""
        adapter = RedisAdapter.from_url(cluster_url(dsn), prefix=namespace, **options)
        place = urlsplit(dsn)
        make = adapter._make  # pyright: ignore[reportPrivateUsage] - no user has a use for such an option

        def make_remapped() -> Any:
            client, others = make()
            nodes: Any = cast("RedisCluster", client).nodes_manager
            nodes.address_remap = lambda _: (place.hostname, place.port)  # pyright: ignore[reportUnknownLambdaType]
            return client, others

        adapter._make = make_remapped  # pyright: ignore[reportPrivateUsage]
        return adapter
