"""READ-4: where a tail must begin so that each tool result stands behind its call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from agentkeep import Keep, NewMessage, connect
from agentkeep._turns import calls_of, results_of
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio


@pytest.fixture
async def keep() -> AsyncIterator[Keep]:
    async with connect("memory://") as opened:
        yield opened


def says(text: str = "words") -> NewMessage:
    return NewMessage(role="assistant", content=text)


def calls(*ids: str) -> NewMessage:
    return NewMessage(role="assistant", tool_calls=[{"id": id, "function": {"name": "f"}} for id in ids])


def result(id: str) -> NewMessage:
    return NewMessage(role="tool", tool_call_id=id, content="42")


def anthropic(kind: str, **block: Any) -> NewMessage:
    return NewMessage(role="user", content=[{"type": "text", "text": "so"}, {"type": kind, **block}])


def responses(kind: str, call_id: str) -> NewMessage:
    return NewMessage(role="assistant", event={"type": kind, "call_id": call_id, "id": "fc_1"})


@pytest.mark.parametrize(
    ("log", "n", "starts_at"),
    [
        ([says(), calls("a"), result("a"), says()], 1, 4),
        ([says(), calls("a"), result("a"), says()], 2, 2),
        ([says(), calls("a"), result("a"), says()], 3, 2),
        ([calls("a", "b"), result("b"), result("a"), says()], 2, 1),
        ([says(), anthropic("tool_use", id="a"), anthropic("tool_result", tool_use_id="a")], 1, 2),
        ([says(), responses("function_call", "a"), responses("function_call_output", "a")], 1, 2),
        ([says(), result("gone"), says()], 2, 2),
        ([calls("a"), calls("b"), result("b"), result("a")], 1, 1),
        ([calls("a"), says(), calls("b"), result("a"), result("b")], 1, 1),
        ([calls("a"), result("a"), says(), calls("a"), result("a")], 1, 4),
        ([calls("open")], 1, 1),
    ],
    ids=str,
)
async def test_read_4_a_tail_starts_outside_of_exchanges(
    keep: Keep, log: list[NewMessage], n: int, starts_at: int
) -> None:
    session = await keep.sessions.create()
    await keep.messages.append(session.id, log)
    tail = await keep.messages.tail(session.id, n, whole_turns=True)
    assert [message.seq for message in tail] == list(range(starts_at, len(log) + 1))


async def test_read_4_a_call_several_pages_back_is_found(keep: Keep) -> None:
    session = await keep.sessions.create()
    log = [says(), calls("far"), *[says(str(n)) for n in range(450)], result("far")]
    await keep.messages.append(session.id, log)
    tail = await keep.messages.tail(session.id, 1, whole_turns=True)
    assert [message.seq for message in tail] == list(range(2, len(log) + 1))


@given(st.lists(st.tuples(st.sampled_from("cr."), st.sampled_from("abc")), max_size=25), st.integers(1, 25))
async def test_read_4_no_result_without_a_call_that_the_log_has(log: list[tuple[str, str]], n: int) -> None:
    kinds = {"c": calls, "r": result, ".": says}
    async with connect("memory://") as keep:
        session = await keep.sessions.create()
        await keep.messages.append(session.id, [kinds[kind](id) for kind, id in log])
        everything = [message async for message in keep.messages.iterate(session.id)]
        tail = await keep.messages.tail(session.id, n, whole_turns=True)
    assert len(tail) >= min(n, len(everything))
    assert everything[len(everything) - len(tail) :] == tail
    cut = len(everything) - len(tail)
    for index, message in enumerate(tail):
        called_inside = {id for other in tail[: index + 1] for id in calls_of(other)}
        called_before = {id for other in everything[:cut] for id in calls_of(other)}
        assert not (results_of(message) - called_inside) & called_before
