"""What several of this adapter's tests do with a keep."""

from __future__ import annotations

from agentkeep import Keep, NewMessage


async def write_and_read(keep: Keep) -> None:
    """A session's life in a few calls."""
    session = await keep.sessions.create(user_id="u", metadata={"k": "v"}, title="a\0b\\0c")
    await keep.messages.append(
        session.id, [NewMessage(role="user", content="Grüße 你好", id="m1")], update={"state": {}}
    )
    await keep.messages.append(session.id, [NewMessage(role="user", content="Grüße 你好", id="m1")])
    assert [message.seq for message in await keep.messages.tail(session.id, 5)] == [1]
    assert (await keep.sessions.list(user_id="u", metadata={"k": "v"})).items[0].title == "a\0b\\0c"
    assert len(await keep.messages.search("你好")) == 1
    assert await keep.messages.trim(session.id, keep_last=0) == 1
    assert await keep.sessions.delete(session.id)
