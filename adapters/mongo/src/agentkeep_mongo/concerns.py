"""The collections of a prefix, and what their reads and writes wait for."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from bson import CodecOptions
from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern
from pymongo.topology_description import TopologyDescription

Document: TypeAlias = dict[str, Any]
Driver: TypeAlias = AsyncMongoClient[Document]
Collection: TypeAlias = AsyncCollection[Document]

_WRITES = WriteConcern(w="majority", j=True)
_OF_A_MAJORITY = ReadConcern("majority")
_CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True)


class Collections(NamedTuple):
    """The collections of one prefix. Writes wait for the journal of a majority, whatever the client's defaults are."""

    database: AsyncDatabase[Document]
    sessions: Collection
    messages: Collection
    search: Collection
    staged: Collection
    """What was written ahead of its commit."""
    schema: Collection
    seen: Collection
    """The sessions as a majority has them, for what callers read (ORD-5)."""
    seen_messages: Collection
    seen_search: Collection


def collections_of(client: Driver, database: str, prefix: str) -> Collections:
    found = client.get_database(database, _CODEC, ReadPreference.PRIMARY, _WRITES, ReadConcern("local"))
    return Collections(
        database=found,
        sessions=found[f"{prefix}_sessions"],
        messages=found[f"{prefix}_messages"],
        search=found[f"{prefix}_search"],
        staged=found[f"{prefix}_staged"],
        schema=found[f"{prefix}_schema"],
        seen=found.get_collection(f"{prefix}_sessions", read_concern=_OF_A_MAJORITY),
        seen_messages=found.get_collection(f"{prefix}_messages", read_concern=_OF_A_MAJORITY),
        seen_search=found.get_collection(f"{prefix}_search", read_concern=_OF_A_MAJORITY),
    )


def primary_of(topology: TopologyDescription) -> object:
    """Which primary the driver knows: its address and its election. None: it knows none at the moment."""
    for server in topology.server_descriptions().values():
        if server.server_type_name in ("RSPrimary", "Mongos", "LoadBalancer"):
            return server.address, server.election_id
    return None
