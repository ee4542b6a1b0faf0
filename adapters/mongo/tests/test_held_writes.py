"""A write that waits inside the server for a lock until its session has expired brings nothing back (TTL-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import Keep, OutcomeUnknown, PersistenceError, SessionNotFound, View
from agentkeep_conformance.families.faults import error_of
from agentkeep_conformance.families.held_writes import WRITES
from agentkeep_conformance.samples import said
from agentkeep_mongo import MongoAdapter
from pymongo import AsyncMongoClient

pytestmark = pytest.mark.anyio

_IDLE = timedelta(seconds=2)
_LARGE = "z" * 300_000

_VERBS: dict[str, Callable[[View, str], Awaitable[Any]]] = {
    **WRITES,
    "append and create": lambda view, name: view.messages.append(name, [said()], create={"idle_ttl": 3_600}),
    "update alone": lambda view, name: view.messages.append(name, [], update={"title": "t"}),
    "append what goes ahead": lambda view, name: view.messages.append(name, [said(_LARGE)]),
    "no end": lambda view, name: view.sessions.update(name, idle_ttl=None),
}
_MAKES_ANOTHER = "append and create"


@pytest.mark.parametrize("verb", _VERBS)
async def test_a_held_write_brings_nothing_back(dsn: str, prefix: str, verb: str) -> None:
    """The lock of `fsync` holds all writes of a server. Reads go on."""
    async with Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as keep, AsyncMongoClient[Any](dsn) as client:
        first = await keep.messages.append("s", [said()], create={"idle_ttl": _IDLE})
        await asyncio.sleep(_IDLE.total_seconds() * 0.5)
        await client.admin.command("fsync", lock=True)
        try:
            writing = asyncio.create_task(error_of(_VERBS[verb](keep, "s")))
            await asyncio.sleep(_IDLE.total_seconds() * 0.55)
            was_there = await keep.sessions.find("s") is not None
        finally:
            await client.admin.command("fsyncUnlock")
        error = await writing
        found = await keep.sessions.find("s")
        assert not was_there
        if verb == _MAKES_ANOTHER:
            assert error is None
            assert found is not None
            assert found.message_count == 1, "a new session"
            assert found.version != first.version
            return
        assert isinstance(error, SessionNotFound), repr(error)
        assert found is None


@pytest.mark.parametrize("verb", ["append", "append a turn", "touch"])
async def test_a_write_that_is_held_for_a_moment_lands_once(dsn: str, prefix: str, verb: str) -> None:
    """It waits longer than the server lets it the first time, and less than its session lives."""
    async with Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as keep, AsyncMongoClient[Any](dsn) as client:
        await keep.messages.append("s", [said()], create={"idle_ttl": _IDLE})
        await client.admin.command("fsync", lock=True)
        try:
            writing = asyncio.create_task(error_of(_VERBS[verb](keep, "s")))
            await asyncio.sleep(_IDLE.total_seconds() * 0.6)
            assert not writing.done()
        finally:
            await client.admin.command("fsyncUnlock")
        assert await writing is None
        count = await keep.messages.count("s")
        assert count == (2 if verb.startswith("append") else 1)


async def test_a_write_that_is_held_for_longer_than_its_call_may_take(dsn: str, prefix: str) -> None:
    """The caller hears that the outcome is unknown. The server ends the write too, so nothing lands later."""
    async with (
        Keep(MongoAdapter.from_url(dsn, prefix=prefix, timeout=0.5)) as keep,
        AsyncMongoClient[Any](dsn) as client,
    ):
        await keep.messages.append("s", [said()], create={"idle_ttl": 3_600})
        await client.admin.command("fsync", lock=True)
        try:
            error: PersistenceError | None = await error_of(keep.messages.append("s", [said()]))
            await asyncio.sleep(0.3)
        finally:
            await client.admin.command("fsyncUnlock")
        assert isinstance(error, OutcomeUnknown)
        assert await keep.messages.count("s") == 1
