"""The types that users see: checked by the type checker, never run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import assert_type

from agentkeep import Appended, Hit, Keep, Message, NewMessage, Page, Session, connect, sync


async def asynchronous() -> None:
    async with connect("sqlite:///chat.db", idle_ttl=1200) as keep:
        assert_type(keep, Keep)
        session = await keep.sessions.create(user_id="u1", ttl=timedelta(days=1), metadata={"plan": "free"})
        assert_type(session, Session)
        assert_type(await keep.sessions.find("s"), Session | None)
        assert_type(await keep.sessions.list(status="active", limit=5), Page[Session])
        assert_type(await keep.sessions.update("s", title="Trip", expected_version=3), Session)
        messages = [NewMessage(role="user", content="Hi")]
        assert_type(await keep.messages.append("s", messages, update={"title": "Trip"}), Appended)
        assert_type(await keep.messages.pop("s"), Message | None)
        assert_type(await keep.messages.search("hi"), list[Hit])
        async for message in keep.messages.watch("s", after_seq=0):
            assert_type(message, Message)


def synchronous() -> None:
    with sync.connect("sqlite:///chat.db") as keep:
        assert_type(keep.sessions.create(user_id="u1"), Session)
        assert_type(keep.sessions.list(order="-created_at"), Page[Session])
        assert_type(keep.messages.tail("s", 5, whole_turns=True), list[Message])
        assert_type(keep.messages.iterate("s"), Iterator[Message])
        keep.sessions.create(colour="red")  # pyright: ignore[reportCallIssue]
