"""What an adapter declares: kept at its limits, refused one past them, and true (FID-4)."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from agentkeep import Keep, LimitExceeded
from agentkeep.capabilities import MIN_MESSAGE_BYTES, Durability

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.samples import log, said, seqs, whole


def of_bytes(size: int, envelope: int = len('{"content":""}')) -> str:
    """A text that makes a message's payload just so large."""
    return "x" * (size - envelope)


def state_of_bytes(size: int) -> dict[str, Any]:
    """A state that, with empty metadata, is just so large."""
    return {"k": "x" * (size - len('{"k":""}{}'))}


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
        with pytest.raises(LimitExceeded):
            await keep.messages.append("s", [said()], update={"metadata": too_large})
        assert await whole(keep, "s") == before
        assert await keep.sessions.count() == 1

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
