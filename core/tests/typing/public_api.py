"""The types that users see: checked by the type checker, never run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import assert_type

from agentkeep import (
    Appended,
    Hit,
    Keep,
    Message,
    NewMessage,
    Order,
    Page,
    Resumed,
    Session,
    SessionFields,
    SessionFilters,
    SessionUpdate,
    View,
    connect,
    sync,
)


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
        appended = await keep.messages.append("s", messages, create={"user_id": "u1"}, add={"tokens": 3}, stored="skip")
        assert_type((appended[0], appended.version, appended.new), tuple[Message, int, int])
        assert_type(await keep.messages.pop("s"), Message | None)
        resumed = await keep.sessions.resume("s", tail=5)
        assert_type(resumed, Resumed)
        session, newest = resumed
        assert_type((session, newest), tuple[Session, list[Message]])
        assert_type(await keep.sessions.get_many(["s"]), dict[str, Session])
        assert_type(await keep.messages.search("hi"), list[Hit])
        async for message in keep.messages.watch("s", after_seq=0):
            assert_type(message, Message)


async def views() -> None:
    keep = connect("sqlite:///chat.db", own_loop=True)
    assert_type(keep.for_tenant("acme").for_user("ann"), View)
    keep.for_tenant("acme").open()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    fields: SessionFields = {"user_id": "u1", "ttl": 60}
    changes: SessionUpdate = {"title": "Trip", "idle_ttl": None}
    filters: SessionFilters = {"status": "active"}
    order: Order = "-created_at"
    await keep.sessions.create("s", **fields)
    await keep.sessions.update("s", **changes)
    await keep.sessions.list(order=order, **filters)


def synchronous() -> None:
    with sync.connect("sqlite:///chat.db") as keep:
        assert_type(keep.sessions.create(user_id="u1"), Session)
        assert_type(keep.sessions.list(order="-created_at"), Page[Session])
        assert_type(keep.messages.tail("s", 5, whole_turns=True), list[Message])
        assert_type(keep.messages.iterate("s"), Iterator[Message])
        keep.sessions.create(colour="red")  # pyright: ignore[reportCallIssue]
        assert_type(keep.for_user("u1"), sync.SyncView)
        assert_type(keep.run(keep.asynchronous.sessions.count()), int)
        assert_type(keep.run(keep.asynchronous.sessions.count), int)
        assert_type(keep.run(lambda: "text"), str)
    assert_type(sync.over(connect("memory://")), sync.SyncKeep)
