"""The databases that are measured: the conformance suite's own servers, or those that its variables name.

AGENTKEEP_TEST_REDIS_URL and its like name them. A server that can't be had is left out, and said so.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
import psutil
from agentkeep_conformance.servers import MONGO_STANDALONE, OPENSEARCH, POSTGRES, REDIS
from agentkeep_conformance.servers.chosen import ChosenServer
from agentkeep_conformance.servers.model import NotRun
from agentkeep_conformance.servers.opensearch import request
from agentkeep_conformance.storage.opensearch import drop_indices
from pymongo import MongoClient
from redis import Redis


class Backend(NamedTuple):
    name: str
    server: str
    url: str
    prepare: Callable[[str], None]
    """Make room for one candidate's data under a namespace."""
    remove: Callable[[str], None]
    size: Callable[[str], int]
    """Bytes that a namespace takes; of Redis all of the server."""
    pids: tuple[int, ...] = ()
    """Of the server's processes if we started them; those that they start themselves are left out."""


def _nothing(namespace: str) -> None:
    """The data goes with its folder."""


_POSTGRES_SIZE = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = '{}'::regnamespace"


def _size_of_files(folder: str) -> Callable[[str], int]:
    return lambda namespace: sum(file.stat().st_size for file in Path(folder).glob(f"{namespace}.db*"))


def _postgres(statement: str) -> Callable[[str], Any]:
    async def run(namespace: str) -> Any:
        connection = cast("Any", await asyncpg.connect(POSTGRES.dsn))  # pyright: ignore[reportUnknownMemberType]
        try:
            return await connection.fetchval(statement.format(namespace))
        finally:
            await connection.close()

    return lambda namespace: asyncio.run(run(namespace))


def _memory_of_redis(namespace: str) -> int:
    client: Any = Redis.from_url(REDIS.dsn)  # pyright: ignore[reportUnknownMemberType] - untyped by the driver
    with client:
        return client.info("memory")["used_memory"]


def _empty_redis(namespace: str) -> None:
    client: Any = Redis.from_url(REDIS.dsn)  # pyright: ignore[reportUnknownMemberType] - untyped by the driver
    with client:
        for key in client.scan_iter(match=f"{namespace}*", count=1_000):
            client.unlink(key)


def _collections_of_mongo(act: Callable[[Any, str], int]) -> Callable[[str], int]:
    """The sum of what `act` returns for each collection of a namespace."""

    def run(namespace: str) -> int:
        with MongoClient[dict[str, Any]](MONGO_STANDALONE.dsn) as client:
            client.admin.command("fsync")  # sizes are those of the last checkpoint
            database = client["agentkeep"]
            names = [name for name in database.list_collection_names() if name.startswith(f"{namespace}_")]
            return sum(act(database, name) for name in names)

    return run


def _drop_mongo(namespace: str) -> None:
    _collections_of_mongo(lambda database, name: len(database.drop_collection(name)))(namespace)


def _drop_opensearch(namespace: str) -> None:
    drop_indices(OPENSEARCH.dsn, namespace)


def _size_of_opensearch(namespace: str) -> int:
    request(OPENSEARCH.dsn, "POST", f"/{namespace}-*/_flush")
    time.sleep(11)  # the server looks at its files once in 10 seconds
    return int(
        request(OPENSEARCH.dsn, "GET", f"/{namespace}-*/_stats/store")["_all"]["total"]["store"]["size_in_bytes"]
    )


def started(server: ChosenServer) -> tuple[int, ...] | None:
    """The processes that we started for a server; None if it can't be had."""
    before = _children()
    try:
        assert server.dsn
    except NotRun as reason:
        print(f"left out: {reason}", file=sys.stderr)
        return None
    return tuple(_children() - before)


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


@contextmanager
def backends(names: list[str]) -> Generator[list[Backend]]:
    """Those of the named ones that are there."""
    found: list[Backend] = []
    with tempfile.TemporaryDirectory() as folder:
        if "sqlite" in names:
            server = f"SQLite {sqlite3.sqlite_version}"
            found.append(Backend("sqlite", server, folder, _nothing, _nothing, _size_of_files(folder)))
        if "redis" in names and (pids := started(REDIS)) is not None:
            server = f"Redis {REDIS.version()}"
            found.append(Backend("redis", server, REDIS.dsn, _nothing, _empty_redis, _memory_of_redis, pids))
        if "postgres" in names and (pids := started(POSTGRES)) is not None:
            server = f"PostgreSQL {POSTGRES.version()}"
            make, drop = _postgres("CREATE SCHEMA {}"), _postgres("DROP SCHEMA {} CASCADE")
            found.append(Backend("postgres", server, POSTGRES.dsn, make, drop, _postgres(_POSTGRES_SIZE), pids))
        if "mongo" in names and (pids := started(MONGO_STANDALONE)) is not None:
            server = f"MongoDB {MONGO_STANDALONE.version()}, standalone"
            size = _collections_of_mongo(lambda database, name: int(database.command("collStats", name)["totalSize"]))
            found.append(Backend("mongo", server, MONGO_STANDALONE.dsn, _nothing, _drop_mongo, size, pids))
        if "opensearch" in names and (pids := started(OPENSEARCH)) is not None:
            server = f"OpenSearch {OPENSEARCH.version()}, one node"
            url = OPENSEARCH.dsn
            found.append(Backend("opensearch", server, url, _nothing, _drop_opensearch, _size_of_opensearch, pids))
        yield found
