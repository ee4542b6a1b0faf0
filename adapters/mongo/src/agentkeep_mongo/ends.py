"""Reads by id of a replica set that are sure before they say that a session is gone (TTL-1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from agentkeep.records import Scope

from agentkeep_mongo.client import Client
from agentkeep_mongo.concerns import Collections
from agentkeep_mongo.statements import ALIVE, of_scope

T = TypeVar("T")


async def read_surely(
    client: Client,
    scope: Scope,
    send: Callable[[Collections], Awaitable[T]],
    missing: Callable[[T], Sequence[str]],
) -> T:
    """Read for a caller what a majority has. `missing`: the keys of the sessions that the result shows as gone.

    The primary may have a write by which such a session lives on, and a majority has it a moment later: then the
    session would come back. So those that live at the primary are read again when a majority has what it has.
    """
    found = await client.read_seen(send)
    gone = missing(found)
    if not gone or not client.is_replica_set:
        return found
    wanted = {"_id": {"$in": list(gone)}, **of_scope(scope), **ALIVE}
    living = await client.read(lambda to: to.sessions.find(wanted, {"_id": 1}).to_list())
    for each in living:
        await client.wait_for_majority(each["_id"])
    return await client.read_seen(send) if living else found
