"""A majority has a write only later: no reader by id sees its session's former end meanwhile (TTL-1), and nobody is
told of what a failover could take back (ORD-5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import AlreadyExists, Conflict, Keep, PersistenceError, SessionNotFound, View
from agentkeep_conformance.families.expiry_races import SESSION_READS, SessionRead
from agentkeep_conformance.families.faults import error_of
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.samples import said
from agentkeep_conformance.servers import MONGO_SET
from agentkeep_mongo import MongoAdapter
from pymongo import AsyncMongoClient
from pymongo.uri_parser import parse_uri

pytestmark = pytest.mark.anyio

Call = Callable[[View], Awaitable[Any]]

_IDLE = timedelta(seconds=5)
_BY_QUERY = ("_is_among", "_is_counted", "_is_active")
"""These see the former end: they ask an index of what a majority has (the adapter's page says so)."""


@pytest.fixture
def dsn(request: pytest.FixtureRequest) -> str:
    """In place of the standalone server's, for `prefix` too."""
    return dsn_of(MONGO_SET, request.config)


@asynccontextmanager
async def _without_a_majority(dsn: str) -> AsyncGenerator[None]:
    """The secondaries take nothing meanwhile: they are locked."""
    uri = parse_uri(dsn)
    login: dict[str, Any] = {"username": uri["username"], "password": uri["password"], "directConnection": True}
    async with AsyncExitStack() as stack:
        for host, port in uri["nodelist"]:
            client = await stack.enter_async_context(AsyncMongoClient[Any](host, port, **login))
            if (await client.admin.command("hello"))["secondary"]:
                await client.admin.command("fsync", lock=True)
                stack.push_async_callback(client.admin.command, "fsyncUnlock")
        yield


async def _has_message(view: View, name: str) -> bool:
    try:
        return bool(await view.messages.get_many(name, ["m"]))
    except SessionNotFound:
        return False


_LOOKS: dict[str, SessionRead] = {
    look.__name__: look for look in (*SESSION_READS, _has_message) if look.__name__ not in _BY_QUERY
}


async def test_who_reads_a_session_waits_for_a_write_that_a_majority_does_not_have_yet(dsn: str, prefix: str) -> None:
    async with (
        Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as keep,
        Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as other,
    ):
        await asyncio.gather(
            *(keep.messages.append(name, [said(id="m")], create={"idle_ttl": _IDLE}) for name in _LOOKS)
        )
        for name in _LOOKS:
            assert await _LOOKS[name](other, name)
        await asyncio.sleep(_IDLE.total_seconds() * 0.5)
        async with _without_a_majority(dsn):
            writing = [
                asyncio.create_task(error_of(keep.messages.append(name, [said()], update={"idle_ttl": 3_600})))
                for name in _LOOKS
            ]
            await asyncio.sleep(_IDLE.total_seconds() * 0.6)
            reading = {name: asyncio.create_task(look(other, name)) for name, look in _LOOKS.items()}
            await asyncio.sleep(0.3)
            early = {name: task.result() for name, task in reading.items() if task.done()}
        found = {name: await task for name, task in reading.items()}
        assert [await each for each in writing] == [None] * len(writing)
        assert early == {}, "these did not wait"
        assert found == dict.fromkeys(_LOOKS, True)


_TOLD: dict[str, tuple[Call, Call, type[PersistenceError] | None]] = {
    "it exists": (
        lambda keep: keep.sessions.create("new"),
        lambda keep: keep.sessions.create("new"),
        AlreadyExists,
    ),
    "it is somebody's": (
        lambda keep: keep.sessions.create("anns", user_id="ann"),
        lambda keep: keep.sessions.get_or_create("anns", user_id="bob"),
        AlreadyExists,
    ),
    "it is there": (
        lambda keep: keep.sessions.create("there"),
        lambda keep: keep.sessions.get_or_create("there"),
        None,
    ),
    "it has another version": (
        lambda keep: keep.sessions.update("s", title="t"),
        lambda keep: keep.sessions.update("s", title="u", expected_version=1_000),
        Conflict,
    ),
    "it has another message of that id": (
        lambda keep: keep.messages.append("u", [said(id="m")]),
        lambda keep: keep.messages.append("u", [said("other", id="m")]),
        Conflict,
    ),
    "it has that message": (
        lambda keep: keep.messages.append("v", [said(id="m")]),
        lambda keep: keep.messages.append("v", [said(id="m")]),
        None,
    ),
    "it has nothing to remove": (
        lambda keep: keep.messages.clear("w"),
        lambda keep: keep.messages.pop("w"),
        None,
    ),
}
"""What one writes, and what another is told because of it."""


async def test_who_is_told_of_a_write_waits_until_a_majority_has_it(dsn: str, prefix: str) -> None:
    async with (
        Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as keep,
        Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as other,
    ):
        for name in ("s", "u", "v", "w"):
            await keep.messages.append(name, [said(id="old")], create={})
        async with _without_a_majority(dsn):
            writing = [asyncio.create_task(error_of(write(keep))) for write, _, _ in _TOLD.values()]
            await asyncio.sleep(0.5)
            asking = {name: asyncio.create_task(error_of(call(other))) for name, (_, call, _) in _TOLD.items()}
            await asyncio.sleep(0.5)
            early = {name: task.result() for name, task in asking.items() if task.done()}
        told = {name: await task for name, task in asking.items()}
        assert [await each for each in writing] == [None] * len(writing)
        assert early == {}, "these did not wait"
        for name, (_, _, error) in _TOLD.items():
            assert isinstance(told[name], error or type(None)), name
