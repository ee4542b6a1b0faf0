"""What the server says of itself: its version, its kind, and what outlives a crash."""

from __future__ import annotations

from typing import NamedTuple

from agentkeep.capabilities import Durability

from agentkeep_mongo.client import Client
from agentkeep_mongo.concerns import Document

_TWO = 2


class Server(NamedTuple):
    is_replica_set: bool
    """It has change streams."""
    durability: Durability
    warnings: list[str]


async def ask(client: Client) -> Server:
    return server_of(await client.read(lambda to: to.database.command("hello")))


def server_of(hello: Document) -> Server:
    """From the reply to `hello`. Each write waits for the journal of a majority."""
    if hello.get("msg") == "isdbgrid":
        return Server(True, "replicated", [])
    if "setName" not in hello:
        return Server(False, "fsync", ["a standalone server: if its host is lost, everything is; use a replica set"])
    with_data = [*hello.get("hosts", ()), *hello.get("passives", ())]
    if len(with_data) < _TWO:
        return Server(True, "fsync", ["a replica set of one member: if its host is lost, everything is; add members"])
    return Server(True, "replicated", [])


async def version(client: Client) -> str:
    found = await client.read(lambda to: to.database.command("buildInfo"))
    return f"mongodb {found['version']}"
