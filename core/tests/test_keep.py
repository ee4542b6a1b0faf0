"""The facade: what it refuses before an adapter is asked, and what views can't do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest
from agentkeep import (
    Capabilities,
    CapabilityNotSupported,
    Closed,
    ConfigurationError,
    Conflict,
    InvalidInput,
    Keep,
    LimitExceeded,
    NewMessage,
    connect,
)
from agentkeep_memory import MemoryAdapter

pytestmark = pytest.mark.anyio


class Refusing:
    """A repository that may not be called: core must have refused already."""

    def __getattr__(self, verb: str) -> Any:
        raise AssertionError(f"the adapter was asked to {verb}")


class Untouchable(MemoryAdapter):
    """An adapter of few capabilities, whose repositories fail the test when they are reached."""

    capabilities = Capabilities(max_batch=3)

    def __init__(self) -> None:
        super().__init__()
        self.sessions: Any = Refusing()
        self.messages: Any = Refusing()


async def test_capabilities_that_are_not_declared_are_refused_before_the_adapter() -> None:
    async with Keep(Untouchable()) as keep:
        with pytest.raises(CapabilityNotSupported) as refused:
            await keep.messages.search("hello")
        assert refused.value.name == "search"
        with pytest.raises(CapabilityNotSupported) as refused:
            await anext(keep.messages.watch("s", after_seq=0))
        assert refused.value.name == "watch"


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([NewMessage(role="user")] * 4, LimitExceeded),
        ([NewMessage(role="user", id="a"), NewMessage(role="user", id="a")], InvalidInput),
        ([NewMessage(role="")], InvalidInput),
        ([NewMessage(role="user", content="\ud800")], InvalidInput),
        ([{"role": "user"}], InvalidInput),
        (NewMessage(role="user"), InvalidInput),
        ("user", InvalidInput),
        ((NewMessage(role="user") for _ in range(2)), InvalidInput),
        ([NewMessage(role="user", content="x" * (8 * 1024 * 1024))], LimitExceeded),
    ],
    ids=["batch", "twice", "role", "surrogate", "dict", "bare", "str", "generator", "size"],
)
async def test_wrong_messages_are_refused_before_the_adapter(messages: Any, error: type[Exception]) -> None:
    async with Keep(Untouchable()) as keep:
        with pytest.raises(error):
            await keep.messages.append("s", messages)


async def test_wrong_fields_and_filters_are_refused_before_the_adapter() -> None:
    async with Keep(Untouchable()) as keep:
        sessions: Any = keep.sessions
        messages: Any = keep.messages
        calls: list[Coroutine[Any, Any, Any]] = [
            sessions.create(colour="red"),
            sessions.create("a\x00b"),
            sessions.update("s"),
            sessions.update("s", status="done"),
            sessions.update("s", created_at=None),
            sessions.list(limit=0),
            sessions.list(limit=True),
            sessions.list(order="title"),
            sessions.list(colour="red"),
            sessions.delete_many(),
            keep.messages.tail("s", 0),
            keep.messages.list("s", after=-1),
            keep.messages.list("s", cursor="cursor"),
            messages.get_many("s", "m"),
            keep.messages.append("s", [], add={"Tokens": 1}),
            messages.append("s", [], add={"tokens": True}),
            messages.append("s", [], stored="ignore"),
            sessions.create(ttl=float("nan")),
            messages.update("s", "m", seq=5),
            messages.update("s", "m"),
        ]
        for call in calls:
            with pytest.raises(InvalidInput):
                await call


async def test_idem_1_no_append_drops_what_a_retry_of_it_must_find() -> None:
    batch = [NewMessage(role="user", id="a"), NewMessage(role="user", id="b")]
    async with Keep(Untouchable()) as keep:
        with pytest.raises(InvalidInput, match="keep_last=1"):
            await keep.messages.append("s", batch, keep_last=1)
    async with connect("memory://") as keep:
        await keep.sessions.create("s")
        await keep.messages.append("s", [NewMessage(role="user")] * 5, keep_last=2)
        await keep.messages.append("s", batch, keep_last=2)
        assert [message.id for message in await keep.messages.tail("s", 9)] == ["a", "b"]


async def test_life_2_use_before_open_and_after_close_is_closed() -> None:
    keep = connect("memory://")
    with pytest.raises(Closed):
        await keep.sessions.get("s")
    await keep.open()
    await keep.open()
    await keep.close()
    await keep.close()
    with pytest.raises(Closed):
        await keep.for_tenant("acme").sessions.count()


async def test_open_by_many_tasks_opens_once() -> None:
    opened: list[str] = []

    class Counting(MemoryAdapter):
        async def open(self) -> None:
            await asyncio.sleep(0)
            opened.append("once")

    keep = Keep(Counting())
    await asyncio.gather(*(keep.open() for _ in range(10)))
    assert opened == ["once"]


async def test_fid_4_an_adapter_that_declares_too_little_is_not_opened() -> None:
    class Small(MemoryAdapter):
        capabilities = msgspec.structs.replace(MemoryAdapter.capabilities, max_message_bytes=1024)

    with pytest.raises(ConfigurationError, match="FID-4"):
        await Keep(Small()).open()


async def test_an_update_that_never_wins_says_so() -> None:
    async with connect("memory://") as keep:
        session = await keep.sessions.create()
        message = (await keep.messages.append(session.id, [NewMessage(role="user", content="a")]))[0]

        async def never(*_: Any, **__: Any) -> None:
            return None

        keep.adapter.messages.replace = never  # type: ignore[method-assign]
        with pytest.raises(Conflict, match="changed 20 times"):
            await keep.messages.update(session.id, message.id, content="b")
