"""A session as it once was: every field, seq and time comes back, and what can't be true is refused."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from agentkeep import AlreadyExists, InvalidInput, Keep, Message, NewMessage, Session, connect
from agentkeep.transfer import restore

pytestmark = pytest.mark.anyio


async def lived(keep: Keep) -> tuple[Session, list[Message]]:
    """A session with gaps in its log, several versions and an expiry."""
    parent = await keep.sessions.create(user_id="ann", metadata={"plan": "free"}, ttl=timedelta(days=9))
    await keep.messages.append(parent.id, [NewMessage(role="user", content=str(n)) for n in range(6)])
    fork = await keep.sessions.fork(parent.id, at_seq=5)
    await keep.messages.truncate(fork.id, after_seq=3)
    await keep.messages.append(fork.id, [NewMessage(role="user", content="again")] * 2)
    await keep.messages.trim(fork.id, keep_last=3)
    await keep.messages.pop(fork.id)
    await keep.sessions.update(fork.id, title="T", current_route="r", state={"a": [1, 1.0]})
    await keep.sessions.update(fork.id, status="completed")
    return await keep.sessions.get(fork.id), await keep.messages.tail(fork.id, 100)


async def test_a_session_comes_back_equal_in_every_field() -> None:
    async with connect("memory://") as there, connect("memory://") as here:
        session, messages = await lived(there)
        await restore(here, session, messages)
        restored = await here.sessions.get(session.id)
        assert restored.version != session.version
        assert msgspec.structs.replace(restored, version=session.version) == session
        assert await here.messages.tail(session.id, 100) == messages
        assert await here.sessions.count(metadata={"plan": "free"}) == 1
        added = await here.messages.append(session.id, [NewMessage(role="user", content="goes on")])
        assert added[0].seq == session.last_seq + 1


async def test_ses_1_a_living_session_is_not_replaced() -> None:
    async with connect("memory://") as keep:
        session, messages = await lived(keep)
        with pytest.raises(AlreadyExists):
            await restore(keep, session, messages)


async def test_what_cannot_be_true_is_refused() -> None:
    async with connect("memory://") as there, connect("memory://") as here:
        session, messages = await lived(there)
        wrong: list[tuple[Session, list[Message]]] = [
            (session, messages[:1]),
            (session, messages[::-1]),
            (session, [messages[0], msgspec.structs.replace(messages[1], id=messages[0].id)]),
            (session, [messages[0], msgspec.structs.replace(messages[1], seq=session.last_seq + 1)]),
            (msgspec.structs.replace(session, id=""), messages),
            (msgspec.structs.replace(session, created_at=session.created_at.replace(tzinfo=None)), messages),
        ]
        for bad_session, bad_messages in wrong:
            with pytest.raises(InvalidInput):
                await restore(here, bad_session, bad_messages)
        with pytest.raises(InvalidInput):
            await restore(here.for_user("bob"), session, messages)
        assert await here.sessions.count() == 0
