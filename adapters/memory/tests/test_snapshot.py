"""A test of a user's can come back to what it stored: `snapshot` and `restore`."""

from __future__ import annotations

import pytest
from agentkeep import Keep, MessageNotFound, NewMessage, SessionNotFound
from agentkeep_memory import MemoryAdapter

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_snapshot_is_all_data_and_can_be_used_again() -> None:
    adapter = MemoryAdapter()
    async with Keep(adapter) as keep:
        await keep.messages.append("s", [NewMessage(role="user", content="first", id="m1")], create={"title": "t"})
        before = await keep.sessions.get("s")
        snapshot = adapter.snapshot()
        for _ in range(2):
            await keep.messages.append("s", [NewMessage(role="user", content="second", id="m2")])
            await keep.sessions.update("s", title="other")
            await keep.sessions.create("new")
            await keep.messages.trim("s", keep_last=1)
            adapter.restore(snapshot)
            assert await keep.sessions.get("s") == before
            assert [message.id for message in (await keep.messages.list("s")).items] == ["m1"]
            assert (await keep.messages.get("s", "m1")).content == "first"
            with pytest.raises(MessageNotFound):
                await keep.messages.get("s", "m2")
            with pytest.raises(SessionNotFound):
                await keep.sessions.get("new")
