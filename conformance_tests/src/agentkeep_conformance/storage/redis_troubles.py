"""What can go wrong at a Redis server: a right taken away, read-only, out of memory, paused."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from agentkeep import PersistenceAdapter
from agentkeep.capabilities import Durability

from agentkeep_conformance.enrolment import Enrolment, Trouble
from agentkeep_conformance.samples import until
from agentkeep_conformance.servers.chosen import check_ours
from agentkeep_conformance.storage.redis import client_of, nodes_of

_PAUSED_MS = 60_000
_BY_APPENDFSYNC: dict[str, Durability] = {"always": "fsync", "no": "os", "everysec": "interval"}
_NOWHERE = ("127.0.0.1", "1")
"""Nothing listens there, so the replica waits and keeps its data."""


class RedisTroubles(Enrolment):
    """For an enrolment on one server, or on a cluster, which has neither `make_read_only` nor `stop_writes`."""

    @asynccontextmanager
    async def refuse_writes(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        url = urlsplit(dsn)
        place = url.netloc.rpartition("@")[2]
        await _on_all(dsn, "ACL", "SETUSER", namespace, "on", f">{namespace}", "~*", "&*", "+@all")
        try:
            theirs = url._replace(netloc=f"{namespace}:{namespace}@{place}").geturl()
            yield Trouble(theirs, partial(_without_right, dsn, namespace))
        finally:
            await _on_all(dsn, "ACL", "DELUSER", namespace)

    @asynccontextmanager
    async def make_read_only(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        check_ours(self.server)
        yield Trouble(dsn, partial(_replica, dsn))

    @asynccontextmanager
    async def fill(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        check_ours(self.server)
        yield Trouble(dsn, partial(_configured, dsn, "maxmemory", "1"))

    @asynccontextmanager
    async def hold_writes(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        check_ours(self.server)
        yield Trouble(dsn, partial(_paused, dsn))

    async def stop_writes(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        """MISCONF and NOREPLICAS."""
        check_ours(self.server)
        yield Trouble(dsn, partial(_unsaved, dsn))
        yield Trouble(dsn, partial(_configured, dsn, "min-replicas-to-write", "1"))

    async def durabilities(self, dsn: str, namespace: str) -> AsyncGenerator[tuple[Durability, PersistenceAdapter]]:
        check_ours(self.server)
        try:
            for setting, grade in _BY_APPENDFSYNC.items():
                await _on_all(dsn, "CONFIG", "SET", "appendfsync", setting)
                yield grade, self.open(dsn, namespace)
        finally:
            await _on_all(dsn, "CONFIG", "SET", "appendfsync", "everysec")


async def _on_all(dsn: str, *command: str) -> None:
    for node in await nodes_of(dsn):
        async with node:
            await node.execute_command(*command)


@asynccontextmanager
async def _without_right(dsn: str, user: str) -> AsyncGenerator[None]:
    await _on_all(dsn, "ACL", "SETUSER", user, "-@write")
    try:
        yield
    finally:
        await _on_all(dsn, "ACL", "SETUSER", user, "+@all")


@asynccontextmanager
async def _replica(dsn: str) -> AsyncGenerator[None]:
    async with client_of(dsn) as client:
        await client.execute_command("REPLICAOF", *_NOWHERE)
        try:
            yield
        finally:
            await client.execute_command("REPLICAOF", "NO", "ONE")


@asynccontextmanager
async def _configured(dsn: str, setting: str, value: str) -> AsyncGenerator[None]:
    """With a setting that is 0 otherwise."""
    await _on_all(dsn, "CONFIG", "SET", setting, value)
    try:
        yield
    finally:
        await _on_all(dsn, "CONFIG", "SET", setting, "0")


@asynccontextmanager
async def _unsaved(dsn: str) -> AsyncGenerator[None]:
    """The last snapshot failed: its folder takes no file. The server was started so that this may be set."""
    async with client_of(dsn) as client:
        folder = (await client.config_get("dir"))["dir"]

        async def has_failed() -> bool:
            return (await client.info("persistence"))["rdb_last_bgsave_status"] == "err"

        try:
            await client.execute_command("CONFIG", "SET", "dir", "/proc", "save", "3600 1")
            await client.execute_command("BGSAVE")
            await until(has_failed, "the snapshot fails")
            yield
        finally:
            await client.execute_command("CONFIG", "SET", "dir", folder, "save", "")


@asynccontextmanager
async def _paused(dsn: str) -> AsyncGenerator[None]:
    await _on_all(dsn, "CLIENT", "PAUSE", str(_PAUSED_MS), "WRITE")
    try:
        yield
    finally:
        await _on_all(dsn, "CLIENT", "UNPAUSE")
