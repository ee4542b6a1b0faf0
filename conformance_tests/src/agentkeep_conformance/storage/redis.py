"""What Redis stores, on one server, behind Sentinels, and on each node of a cluster."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from agentkeep import PersistenceAdapter
from redis.asyncio import Redis, RedisCluster

from agentkeep_conformance.enrolment import Enrolment, OverClient
from agentkeep_conformance.storage.names import CORPUS_NAMESPACE
from agentkeep_conformance.storage.redis_steps import scripts_counted

_PAGE = 1_000
_INTENT = re.compile(rb"(.{8}[cw])\d{12}", re.DOTALL)
"""Its token, its kind, and when it was left in seconds."""


class RedisStorage(Enrolment):
    """For an enrolment: reads, removes, saves and loads the keys that begin with the namespace and a colon."""

    clients: ClassVar[Sequence[type]] = ()
    """The adapter's classes that send scripts: see `scripts_counted`."""

    def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        return stored_bytes(dsn)

    async def records(self, dsn: str, namespace: str) -> int:
        return await keys_of(dsn, namespace)

    async def settle(self, dsn: str, namespace: str) -> None:
        await age_intents(dsn, namespace)

    async def drop(self, dsn: str, namespace: str) -> None:
        await drop_prefix(dsn, namespace)

    async def server_work(self, dsn: str, namespace: str) -> int:
        return await commands_run(dsn)

    async def longest_step(self, adapter: PersistenceAdapter, call: Callable[[], Awaitable[Any]]) -> int:
        """That of the script that does most."""
        with scripts_counted(self.clients) as steps:
            await call()
        return max(steps)

    async def save_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await save_keys(dsn, namespace, file)

    async def load_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await load_keys(dsn, namespace, file)


@asynccontextmanager
async def over_redis(client: Any, namespace: str, adapter: PersistenceAdapter) -> AsyncGenerator[OverClient]:
    """For an enrolment's `over_client`: an adapter over this client, which is closed at the end."""

    async def client_works() -> bool:
        return bool(await client.set(f"{namespace}:works", 1, px=1))

    def taken() -> int:
        return len(client.connection_pool._in_use_connections)

    async with client:
        yield OverClient(adapter, client_works, None if isinstance(client, RedisCluster) else taken)


def client_of(dsn: str) -> Any:
    """A client of one server; the caller closes it."""
    return Redis.from_url(dsn)  # pyright: ignore[reportUnknownMemberType] - the driver leaves it untyped


async def primary_of(dsn: str) -> Any:
    """A client of the server that the Sentinels of a URL name now; the caller closes it."""
    parts = urlsplit(dsn)
    host, _, port = parts.netloc.rpartition("@")[2].partition(",")[0].rpartition(":")
    sentinel: Any = Redis(host=host, port=int(port))
    async with sentinel:
        state = await sentinel.sentinel_master(parts.path.split("/")[1])
    return Redis(host=state["ip"], port=state["port"], password=parts.password)


async def nodes_of(dsn: str) -> list[Any]:
    """A client for each primary: one if there is no cluster. The caller closes them."""
    if dsn.startswith("redis+sentinel://"):
        return [await primary_of(dsn)]
    first = client_of(dsn)
    info = await first.info("cluster")
    if not info.get("cluster_enabled"):
        return [first]
    async with first:  # a RedisCluster would first ask for all commands that the server has: 0.1 s at each test's end
        nodes: dict[str, dict[str, Any]] = await first.cluster("nodes")
    primaries = [address.rpartition(":") for address, node in nodes.items() if _has_slots(node)]
    parts = urlsplit(dsn)  # a single node does not know its own host
    return [
        Redis(host=host or parts.hostname or "", port=int(port), password=parts.password) for host, _, port in primaries
    ]


def _has_slots(node: dict[str, Any]) -> bool:
    return "master" in node["flags"].split(",") and bool(node["slots"])


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
            assert other == b"none", f"{key!r} is a {other!r}, which no scan reads yet"


async def commands_run(dsn: str) -> int:
    """Commands that each node ran, those inside of scripts too."""
    total = 0
    for node in await nodes_of(dsn):
        async with node:
            found: dict[str, dict[str, int]] = await node.info("commandstats")
            total += sum(command["calls"] for command in found.values())
    return total


async def keys_of(dsn: str, prefix: str) -> int:
    """How many keys begin with the prefix and a colon, besides the schema's version."""
    found: set[bytes] = set()
    for node in await nodes_of(dsn):
        async with node:
            found |= {key async for key in node.scan_iter(match=f"{prefix}:*", count=_PAGE)}
    return len(found - {f"{prefix}:schema".encode()})


async def age_intents(dsn: str, prefix: str) -> None:
    """On a cluster a writer leaves an intent before its write. A sweep waits for a minute until it removes one."""
    for node in await nodes_of(dsn):
        async with node:
            async for key in node.scan_iter(match=f"{prefix}:*:intents", count=_PAGE):
                for session_id, intents in (await node.hgetall(key)).items():
                    await node.hset(key, session_id, _INTENT.sub(rb"\g<1>000000000000", intents))


async def drop_prefix(dsn: str, prefix: str) -> None:
    """Remove every key that begins with the prefix and a colon."""
    for node in await nodes_of(dsn):
        async with node, node.pipeline(transaction=False) as pipeline:
            async for key in node.scan_iter(match=f"{prefix}:*", count=_PAGE):
                pipeline.unlink(key)
            await pipeline.execute()


async def save_keys(dsn: str, namespace: str, file: Path) -> None:
    """Write a corpus: each key with its end in milliseconds since 1970 (-1: none) and its value, as DUMP returns it."""
    lines: list[str] = []
    async with client_of(dsn) as client:
        async for key in client.scan_iter(match=f"{namespace}:*", count=_PAGE):
            ends, value = await client.pexpiretime(key), await client.dump(key)
            lines.append(f"{key.decode().replace(namespace, CORPUS_NAMESPACE)} {ends} {value.hex()}")
    await asyncio.to_thread(file.write_text, "\n".join(sorted(lines)) + "\n")


async def load_keys(dsn: str, namespace: str, file: Path) -> None:
    """Put a corpus into a database without it."""
    text = await asyncio.to_thread(file.read_text)
    async with client_of(dsn) as client:
        for line in text.splitlines():
            key, ends, value = line.split(" ")
            name = key.replace(CORPUS_NAMESPACE, namespace)
            await client.restore(name, max(0, int(ends)), bytes.fromhex(value), absttl=int(ends) > 0)
