"""A mover stops before each of its statements, others write meanwhile, and then it goes on (FLT-1, ORD-6, SES-6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import Keep, NewMessage, View
from agentkeep_conformance.outcomes import TIER
from agentkeep_conformance.storage.mongo import client_of
from agentkeep_mongo import MongoAdapter, moving, replacing, statements
from agentkeep_mongo import sweep as sweeping

pytestmark = pytest.mark.anyio

Call = Callable[[View], Awaitable[Any]]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class Stopping:
    """An adapter whose n-th statement from now on waits."""

    def __init__(self, adapter: MongoAdapter) -> None:
        self._client: Any = adapter._client  # pyright: ignore[reportPrivateUsage] - every statement passes it
        self._once = self._client._once
        self._client._once = self._counted
        self._left = 0
        self.stopped, self.go_on = asyncio.Event(), asyncio.Event()

    def before(self, number: int) -> None:
        self._left = number
        self.stopped, self.go_on = asyncio.Event(), asyncio.Event()

    async def _counted(self, *arguments: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            self.stopped.set()
            await self.go_on.wait()
        return await self._once(*arguments)


def append(*ids: str, **options: Any) -> Call:
    batch = [NewMessage(role="user", id=id, content=f"word {id}") for id in ids]
    return lambda view: view.messages.append("s", batch, **options)


def redact(id: str) -> Call:
    return lambda view: view.messages.update("s", id, content=f"word gone {id}")


def search(view: View) -> Awaitable[Any]:
    return view.messages.search("word", session_id="s", limit=50)


MOVES: dict[str, Call] = {"an append": append("a1", "a2"), "a search": search}
MEANWHILE: dict[str, list[Call]] = {
    "redactions": [redact(f"m{number}") for number in range(1, 7)],
    "a rewind": [lambda view: view.messages.truncate("s", after_seq=4), append("b1"), append("b2"), search],
    "a trim": [lambda view: view.messages.trim("s", keep_last=1), append("b1"), search],
    "another user": [lambda view: view.sessions.update("s", user_id="bob")],
    "appends and a rewind": [
        *(append("b1"), append("b2"), lambda view: view.messages.truncate("s", after_seq=5)),
        *(append("b3"), append("b4"), append("b5"), search),
    ],
    "another life": [lambda view: view.sessions.delete("s"), append("m1", "b1", create={"user_id": "ann"})],
}
EVERYDAY_STEP = 2
"""The everyday tier stops a mover before each second statement, as a session is made for each; nightly before all."""
AFTERWARDS = [append(f"c{number}") for number in range(4)]


async def furnish(view: View) -> None:
    await view.sessions.create("s", user_id="ann")
    for number in range(1, 7):
        await append(f"m{number}")(view)


async def world(view: View) -> Any:
    session = await view.sessions.get("s")
    log = [(each.seq, each.id, each.content) async for each in view.messages.iterate("s")]
    assert session.message_count == len(log)
    for user in ("ann", "bob"):
        found = await view.messages.search("word", user_id=user, limit=50)
        hits = sorted((each.message.seq, each.message.id, each.message.content) for each in found)
        assert hits == (log if user == session.user_id else []), "a search finds what the log has"
    return log, session.last_seq, session.user_id


async def _in_order(view: View, calls: list[Call]) -> tuple[Any, Any]:
    """What readers see after the calls, and after some appends more."""
    for call in calls:
        await call(view)
    seen = await world(view)
    for call in AFTERWARDS:
        await call(view)
    return seen, await world(view)


async def remains(dsn: str, prefix: str, tenant: str) -> int:
    """What the database holds of a tenant."""
    found = 0
    async with client_of(dsn) as client:
        for name in ("sessions", "messages", "search", "staged"):
            async for each in client["agentkeep"][f"{prefix}_{name}"].find({}, {"key": 1}):
                key = each["_id"] if name == "sessions" else each["key"] if name == "staged" else each["_id"]["s"]
                found += key.startswith(f"{tenant}\n")
    return found


@pytest.fixture
async def keeps(dsn: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Keep, Keep]]:
    """Two on the same data, whose movers move often and do not wait until another's claim has ended."""
    monkeypatch.setattr(moving, "_MANY_BATCHES", 4)
    monkeypatch.setattr(statements, "_MOVES_SECONDS", 0)
    monkeypatch.setattr(sweeping, "_STAGED_FOR", timedelta(0))
    async with (
        Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as first,
        Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as second,
    ):
        yield first, second


@pytest.mark.parametrize(("meanwhile", "kept"), [*((name, 1) for name in MEANWHILE), ("appends and a rewind", 3)])
async def test_a_mover_that_stops_and_goes_on_is_as_one_that_came_before_or_after(
    *,
    dsn: str,
    prefix: str,
    keeps: tuple[Keep, Keep],
    meanwhile: str,
    kept: int,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    step = 1 if request.config.stash[TIER] == "nightly" else EVERYDAY_STEP
    monkeypatch.setattr(moving, "_KEPT_BATCHES", kept)
    first, second = keeps
    stopping = Stopping(first.adapter)  # pyright: ignore[reportArgumentType]
    for name, call in MOVES.items():
        others = MEANWHILE[meanwhile]
        allowed: list[Any] = []
        for number, calls in enumerate(([call, *others], [*others, call])):
            view = second.for_tenant(f"{name} in order {number}")
            await furnish(view)
            allowed.append(await _in_order(view, calls))
        for number in range(1, 50, step):
            tenant = f"{name} {number}"
            view = second.for_tenant(tenant)
            await furnish(view)
            stopping.before(number)
            mover = asyncio.ensure_future(call(first.for_tenant(tenant)))
            stop = asyncio.ensure_future(stopping.stopped.wait())
            await asyncio.wait({mover, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not stopping.stopped.is_set():
                stop.cancel()
                assert number - step > 3, "it has four statements at least"
                break
            for other in others:
                await other(view)
            stopping.go_on.set()
            await mover
            assert await _in_order(view, []) in allowed, f"{name}, stopped before statement {number}"
            await view.sessions.delete("s")
            await second.sweep()
            assert await remains(dsn, prefix, tenant) == 0, f"{name}, stopped before statement {number}"


async def _stopped_half_way(keep: Keep) -> tuple[Stopping, asyncio.Future[Any]]:
    """A search that moves: it has inserted messages, and waits."""
    stopping = Stopping(keep.adapter)  # pyright: ignore[reportArgumentType]
    stopping.before(7)
    mover = asyncio.ensure_future(search(keep.for_tenant("t")))
    await stopping.stopped.wait()
    return stopping, mover


async def test_what_a_mover_replaces_may_be_removed_meanwhile(
    keeps: tuple[Keep, Keep], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "_KEPT_BATCHES", 1)
    first, second = keeps
    view = second.for_tenant("t")
    await furnish(view)
    stopping, mover = await _stopped_half_way(first)
    await view.messages.truncate("s", after_seq=5)  # so nothing of them will be admitted
    duplicates: Any = replacing._duplicates  # pyright: ignore[reportPrivateUsage] - between its two calls

    async def removed_meanwhile(write: Awaitable[object]) -> list[int]:
        there = await duplicates(write)
        if there and not mover.done():
            stopping.go_on.set()
            await mover
        return there

    monkeypatch.setattr(replacing, "_duplicates", removed_meanwhile)
    await search(view)
    assert mover.done(), "the other mover met what the first left"
    assert [each.id async for each in view.messages.iterate("s")] == [f"m{number}" for number in range(1, 6)]


async def test_what_an_earlier_epoch_left_is_replaced_beside_what_is_there_already(dsn: str, prefix: str) -> None:
    """A mover of the same epoch has come to the first one, and one of an earlier epoch once to the second."""
    async with client_of(dsn) as client:
        collection = client["agentkeep"][f"{prefix}_messages"]
        await collection.insert_many([{"_id": 1, "e": 2, "text": "here"}, {"_id": 2, "e": 1, "text": "left over"}])
        documents = [{"_id": number, "e": 2, "text": "here"} for number in (1, 2, 3)]
        await replacing.insert_missing(collection, documents)
        assert await collection.find().sort("_id", 1).to_list() == documents


async def test_what_a_mover_left_is_not_counted_in_a_cut_of_a_trimmed_session(
    keeps: tuple[Keep, Keep], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a rewind and a trim no moved message is the session's, and a mover of its epoch stops half way."""
    monkeypatch.setattr(moving, "_KEPT_BATCHES", 1)
    first, second = keeps
    view = second.for_tenant("t")
    await furnish(view)
    await view.messages.truncate("s", after_seq=2)
    for number in range(4):
        await append(f"b{number}")(view)
    await view.messages.trim("s", keep_last=1)
    await append("c1")(view)
    stopping, mover = await _stopped_half_way(first)
    assert await view.messages.truncate("s", after_seq=1) == 2
    stopping.go_on.set()
    await mover
    assert (await view.sessions.get("s")).message_count == 0
    assert await world(view) == ([], 11, "ann")
