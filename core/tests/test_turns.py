"""READ-4: a tail of whole turns begins where a turn begins, and holds nothing beyond that turn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from agentkeep import Keep, Message, NewMessage, connect
from agentkeep._codec import decode_messages
from agentkeep.records import MessageRecord
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio


@pytest.fixture
async def keep() -> AsyncIterator[Keep]:
    async with connect("memory://") as opened:
        yield opened


def asks(turn: str | None = None) -> NewMessage:
    return NewMessage(role="user", content="words", turn_id=turn)


def says(turn: str | None = None) -> NewMessage:
    return NewMessage(role="assistant", content="words", turn_id=turn)


def result(turn: str | None = None) -> NewMessage:
    return NewMessage(role="tool", tool_call_id="a", content="42", turn_id=turn)


ANTHROPIC_RESULT = NewMessage(role="user", content=[{"type": "tool_result", "tool_use_id": "a"}])
RESPONSES_RESULT = NewMessage(role="user", event={"type": "function_call_output", "call_id": "a"})


@pytest.mark.parametrize(
    ("log", "n", "starts_at"),
    [
        ([asks(), says(), asks(), says()], 1, 3),
        ([asks(), says(), asks(), says()], 2, 3),
        ([asks(), says(), asks(), says()], 3, 1),
        ([asks(), asks(), says()], 2, 2),
        ([says(), says(), says()], 1, 1),
        ([asks(), says(), ANTHROPIC_RESULT, says()], 2, 1),
        ([asks(), says(), RESPONSES_RESULT, says()], 2, 1),
        ([asks("1"), says("1"), asks("1"), says("1")], 2, 1),
        ([asks("1"), says("1"), says("2"), says("2")], 1, 3),
        ([asks("1"), says("1"), says(), says()], 1, 1),
        ([asks(), says(), result("2"), says("2")], 1, 1),
        ([asks(), says()], 5, 1),
    ],
)
async def test_read_4_a_tail_begins_with_its_turn(keep: Keep, log: list[NewMessage], n: int, starts_at: int) -> None:
    await keep.sessions.create("s")
    await keep.messages.append("s", log)
    assert next(each.seq for each in await keep.messages.tail("s", n, whole_turns=True)) == starts_at
    assert (await keep.sessions.resume("s", tail=n)).messages[0].seq == starts_at


async def test_read_4_a_long_turn_is_read_in_pages(keep: Keep) -> None:
    await keep.sessions.create("s")
    await keep.messages.append("s", [asks(), *[says()] * 5, asks(), *[says()] * 650])
    tail = await keep.messages.tail("s", 3, whole_turns=True)
    assert [each.seq for each in tail] == list(range(7, 658))
    resumed = await keep.sessions.resume("s", tail=3)
    assert resumed.messages == tail
    assert resumed.session == await keep.sessions.get("s")


async def test_read_1_a_tail_has_any_length(keep: Keep) -> None:
    await keep.sessions.create("s")
    for _ in range(3):
        await keep.messages.append("s", [says()] * 900)
    for n in (1, 999, 1000, 1001, 2500, 2700, 5000):
        wanted = list(range(max(1, 2701 - n), 2701))
        assert [each.seq for each in await keep.messages.tail("s", n)] == wanted
        assert [each.seq for each in (await keep.sessions.resume("s", tail=n, whole_turns=False)).messages] == wanted
    await keep.messages.clear("s")
    assert await keep.messages.tail("s", 3, whole_turns=True) == []
    assert (await keep.sessions.resume("s")).messages == []


def begins(log: list[Message], index: int) -> bool:
    """As the contract says it, of the whole log."""
    message = log[index]
    if index == 0:
        return True
    if message.role == "tool":
        return False
    if message.turn_id is not None:
        return log[index - 1].turn_id != message.turn_id
    return message.role == "user"


_TURNS = st.sampled_from([None, None, "1", "2"])


@given(
    log=st.lists(st.one_of(st.builds(asks, _TURNS), st.builds(says, _TURNS), st.builds(result, _TURNS)), max_size=40),
    n=st.integers(1, 45),
)
def test_read_4_the_latest_start_at_or_before_message_n(log: list[NewMessage], n: int) -> None:
    import asyncio

    async def check() -> None:
        async with connect("memory://") as keep:
            await keep.sessions.create("s")
            whole: Any = (await keep.messages.append("s", log)) if log else []
            tail = await keep.messages.tail("s", n, whole_turns=True)
            start = max(0, len(whole) - n)
            while start > 0 and not begins(list(whole), start):
                start -= 1
            assert tail == list(whole[start:])

    asyncio.run(check())


async def test_a_long_turn_is_decoded_once_for_its_boundary(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    await keep.sessions.create("s")
    await keep.messages.append("s", [asks(), *[says() for _ in range(900)]])
    decoded = 0

    def counted(session_id: str, records: Iterable[MessageRecord]) -> list[Message]:
        nonlocal decoded
        messages = decode_messages(session_id, records)
        decoded += len(messages)
        return messages

    monkeypatch.setattr("agentkeep._tails.decode_messages", counted)
    assert len(await keep.messages.tail("s", 5, whole_turns=True)) == 901
    assert decoded <= 2 * 901
