"""What an adapter declares: kept at its limits, refused one past them, and true (FID-4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, get_args

import pytest
from agentkeep import Keep, LimitExceeded
from agentkeep.capabilities import MIN_MESSAGE_BYTES, Durability
from agentkeep.transfer import restore
from msgspec.structs import replace

from agentkeep_conformance.clauses import proves, takes_long
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.order_paging import all_pages
from agentkeep_conformance.samples import log, said, seqs, whole


def of_bytes(size: int, envelope: int = len('{"content":""}')) -> str:
    """A text that makes a message's payload just so large."""
    return "x" * (size - envelope)


def state_of_bytes(size: int) -> dict[str, Any]:
    """A state that, with empty metadata, is just so large."""
    return {"k": "x" * (size - len('{"k":""}{}'))}


MOST_ENTRIES = 2_000
"""Filterable entries of one session's metadata."""


def entries(count: int) -> dict[str, Any]:
    """Metadata with so many filterable entries. A list or an object is not filterable, so those two do not count."""
    return {"list": [1], "object": {"k": 1}} | {f"k{number}": number for number in range(count)}


async def _restore(keep: Keep, metadata: dict[str, Any]) -> None:
    session, messages = await whole(keep, "s")
    await restore(keep, replace(session, id="new", metadata=metadata), messages)


METADATA_WRITES: dict[str, Callable[[Keep, dict[str, Any]], Awaitable[Any]]] = {
    "create": lambda keep, metadata: keep.sessions.create("new", metadata=metadata),
    "get_or_create": lambda keep, metadata: keep.sessions.get_or_create("new", metadata=metadata),
    "update": lambda keep, metadata: keep.sessions.update("s", title="t", metadata=metadata),
    "append with update": lambda keep, metadata: keep.messages.append(
        "s", [said("new")], update={"metadata": metadata}, truncate_after=0
    ),
    "append with create": lambda keep, metadata: keep.messages.append(
        "new", [said("new")], create={"metadata": metadata}
    ),
    "fork with update": lambda keep, metadata: keep.sessions.fork("s", new_id="new", update={"metadata": metadata}),
    "restore": _restore,
}
"""Each call that stores metadata: on the session "s", or on a session "new" that it makes."""


class CapabilitiesDeclared:
    @proves("FID-4")
    async def test_the_largest_message_is_kept_and_one_byte_more_refused(self, database: Database, keep: Keep) -> None:
        limit = keep.capabilities.max_message_bytes
        assert limit >= MIN_MESSAGE_BYTES
        await keep.sessions.create("s")
        await keep.messages.append("s", [said("before", id="small"), said(of_bytes(limit), id="large")])
        assert (await keep.messages.get("s", "large")).content == of_bytes(limit)
        database.measured("max_message_bytes", limit)
        before = await keep.sessions.get("s")
        for batch in ([said(of_bytes(limit + 1))], [said("fine"), said(of_bytes(limit + 1)), said("fine")]):
            with pytest.raises(LimitExceeded) as caught:
                await keep.messages.append("s", batch, update={"title": "t"}, truncate_after=0)
            assert (caught.value.limit, caught.value.actual) == (limit, limit + 1)
        with pytest.raises(LimitExceeded):
            await keep.messages.update("s", "small", content=of_bytes(limit + 1))
        assert await keep.sessions.get("s") == before
        assert (await keep.messages.get("s", "small")).content == "before"

    @proves("FID-4")
    async def test_a_limit_is_of_bytes_not_of_characters(self, keep: Keep) -> None:
        limit = keep.capabilities.max_message_bytes
        await keep.sessions.create("s")
        with pytest.raises(LimitExceeded):
            await keep.messages.append("s", [said("会" * (limit // 3 + 1))])
        with pytest.raises(LimitExceeded):
            await keep.messages.append("s", [said("\x01" * (limit // 6 + 1))])
        assert await keep.messages.count("s") == 0

    @proves("FID-4", "ORD-2")
    async def test_several_large_messages_fit_in_one_batch(self, keep: Keep, twin: Keep) -> None:
        text = of_bytes(keep.capabilities.max_message_bytes // 4)
        await keep.sessions.create("s")
        assert seqs(await keep.messages.append("s", [said(text)] * 4)) == [1, 2, 3, 4]
        assert [message.content == text for message in await log(twin, "s")] == [True] * 4

    @proves("FID-4")
    async def test_the_largest_session_is_kept_and_one_byte_more_refused(self, database: Database, keep: Keep) -> None:
        limit = keep.capabilities.max_session_bytes
        await keep.sessions.create("s", state=state_of_bytes(limit))
        assert (await keep.sessions.get("s")).state == state_of_bytes(limit)
        database.measured("max_session_bytes", limit)
        before = await whole(keep, "s")
        too_large = state_of_bytes(limit + 3)
        with pytest.raises(LimitExceeded):
            await keep.sessions.create("new", state=too_large)
        with pytest.raises(LimitExceeded):
            await keep.sessions.create("new", state=state_of_bytes(limit), metadata={"k": 1})
        with pytest.raises(LimitExceeded):
            await keep.sessions.update("s", state=too_large)
        half = state_of_bytes(limit // 2 + 3)
        with pytest.raises(LimitExceeded):
            await keep.sessions.update("s", state=half, metadata=half)
        with pytest.raises(LimitExceeded):
            await keep.sessions.create("new", state=half, metadata=half)
        with pytest.raises(LimitExceeded):
            await keep.messages.append("s", [said()], update={"metadata": too_large})
        assert await whole(keep, "s") == before
        assert await keep.sessions.count() == 1

    @proves("FID-4")
    @pytest.mark.parametrize("write", METADATA_WRITES)
    async def test_2000_filterable_entries_are_kept_and_one_more_is_refused(
        self, keep: Keep, twin: Keep, write: str
    ) -> None:
        await keep.sessions.create("s", title="before", metadata={"k0": 0})
        await keep.messages.append("s", [said("first"), said("second")])
        before = await whole(keep, "s")
        with pytest.raises(LimitExceeded) as caught:
            await METADATA_WRITES[write](keep, entries(MOST_ENTRIES + 1))
        assert (caught.value.limit, caught.value.actual) == (MOST_ENTRIES, MOST_ENTRIES + 1)
        assert await whole(keep, "s") == before
        assert await keep.sessions.find("new") is None
        assert await twin.sessions.count() == await twin.sessions.count(metadata={"k0": 0}) == 1

        await METADATA_WRITES[write](keep, entries(MOST_ENTRIES))
        (found,) = (await twin.sessions.list(metadata={"k1": 1, f"k{MOST_ENTRIES - 1}": MOST_ENTRIES - 1})).items
        assert found.id == ("s" if write in ("update", "append with update") else "new")
        assert found.metadata == entries(MOST_ENTRIES)

    @proves("FID-4", "ORD-2")
    async def test_the_largest_batch_lands_and_one_more_is_refused(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        limit = keep.capabilities.max_batch
        await keep.sessions.create("s")
        assert seqs(await keep.messages.append("s", [said()] * limit)) == list(range(1, limit + 1))
        database.measured("max_batch", limit)
        with pytest.raises(LimitExceeded) as caught:
            await keep.messages.append("s", [said()] * (limit + 1))
        assert (caught.value.limit, caught.value.actual) == (limit, limit + 1)
        assert (await twin.sessions.get("s")).last_seq == limit

    @proves("ERR-1")
    async def test_health_asks_the_server_and_agrees_with_what_is_declared(
        self, database: Database, keep: Keep
    ) -> None:
        health = await keep.health()
        adapter = await database.adapter()
        assert health.adapter == adapter.name
        assert adapter.capabilities == keep.capabilities
        assert health.server
        assert health.latency.total_seconds() >= 0
        assert health.durability in get_args(Durability)
        assert keep.capabilities.durability in get_args(Durability)

    @proves("FID-4")
    async def test_a_message_of_every_field_counts_them_all(self, keep: Keep) -> None:
        third = "x" * (keep.capabilities.max_message_bytes // 3)
        await keep.sessions.create("s")
        with pytest.raises(LimitExceeded):
            await keep.messages.append("s", [said(third, event=third, metadata={"k": third})])
        assert await keep.messages.count("s") == 0

    @proves("FID-4")
    async def test_every_message_of_a_session_may_become_a_long_one(self, keep: Keep) -> None:
        ids = [f"m{number}" for number in range(70)]  # together more than any document or message of a database holds
        text = of_bytes(250_000)
        await keep.sessions.create("s")
        await keep.messages.append("s", [said("short", id=id) for id in ids])
        for id in ids:
            await keep.messages.update("s", id, content=text)
        assert [(message.id, message.content == text) for message in await log(keep, "s")] == [(id, True) for id in ids]
        assert (await keep.messages.append("s", [said("after")])).last_seq == len(ids) + 1

    @takes_long
    @proves("FID-4", "READ-1")
    async def test_several_of_the_largest_messages_come_back_together(self, keep: Keep) -> None:
        """Four of 8 MiB are larger than one document of a database, or one reply, may be, and so are two of them.

        They are large by their metadata, which no search index holds: to fill one takes longer than all else here.
        """
        held = {"k": of_bytes(keep.capabilities.max_message_bytes)[1_000:]}
        for id in "abcd":
            await keep.messages.append("s", [said(id, id=id, metadata=held)], create={})
        await keep.sessions.fork("s", new_id="copy")
        for name in ("s", "copy"):
            some = await keep.messages.get_many(name, ["a", "b", "c", "d"])
            newest_first = partial(keep.messages.list, name, newest_first=True)
            readings = {
                "get_many": ("abcd", [some[id] for id in "abcd"]),
                "newest first": ("dcba", (await newest_first()).items),
                "before the last": ("cb", (await newest_first(before=4, limit=2)).items),
                "pages": ("dcba", await all_pages(newest_first, 3)),
                "resume": ("bcd", (await keep.sessions.resume(name, tail=3)).messages),
                "tail": ("abcd", await keep.messages.tail(name, 4)),
                "log": ("abcd", await log(keep, name)),
            }
            for reading, (expected, found) in readings.items():
                met = [(each.content, each.metadata == held) for each in found]
                assert met == [(id, True) for id in expected], reading

    @proves("FID-4")
    @pytest.mark.parametrize("count", [1, 600])
    async def test_a_message_becomes_the_largest_one_in_the_largest_session(self, keep: Keep, count: int) -> None:
        limits = keep.capabilities
        state, text = state_of_bytes(limits.max_session_bytes), of_bytes(limits.max_message_bytes)
        await keep.sessions.create("s", state=state)
        await keep.messages.append("s", [said("short", id=f"m{number}") for number in range(count)])
        await keep.messages.update("s", "m0", content=text)
        assert (await keep.messages.get("s", "m0")).content == text
        assert (await keep.sessions.get("s")).state == state
        assert await keep.messages.count("s") == count
