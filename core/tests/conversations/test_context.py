"""What a model gets: whole turns, newest first until full."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from agentkeep import InvalidInput, Keep, Message, NewMessage, connect
from agentkeep.conversations import Conversation, SessionManager
from agentkeep.formats import from_anthropic, to_anthropic, to_openai
from agentkeep.wrappers import MessagesWrapper, SessionsWrapper, Wrapper

pytestmark = pytest.mark.anyio


class _Sessions(SessionsWrapper):
    async def resume(self, *args: Any, **kwargs: Any) -> Any:
        Reads.count += 1
        return await super().resume(*args, **kwargs)

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        Reads.count += 1
        return await super().get(*args, **kwargs)


class _Messages(MessagesWrapper):
    async def list(self, *args: Any, **kwargs: Any) -> Any:
        Reads.count += 1
        return await super().list(*args, **kwargs)


class Reads(Wrapper):
    count = 0
    sessions_wrapper = _Sessions
    messages_wrapper = _Messages


@pytest.fixture
async def keep() -> AsyncIterator[Keep]:
    async with connect("memory://", wrap=[Reads]) as keep:
        yield keep


@pytest.fixture
async def conversation(keep: Keep) -> Conversation:
    return await SessionManager(keep).get_or_create("s")


async def talk(conversation: Conversation, *texts: str) -> None:
    """A turn of a question and an answer for each text."""
    for text in texts:
        async with conversation.turn() as turn:
            turn.add("user", text)
            turn.add("assistant", text.upper())


def contents(messages: list[Message]) -> list[Any]:
    return [message.content for message in messages]


async def test_all_of_it_by_default(conversation: Conversation) -> None:
    assert await conversation.context() == []
    await talk(conversation, "a", "b")
    assert contents(await conversation.context()) == ["a", "A", "b", "B"]


@pytest.mark.parametrize(
    ("most", "expected"), [(1, "cC"), (2, "cC"), (3, "cC"), (4, "bBcC"), (5, "bBcC"), (9, "aAbBcC")]
)
async def test_whole_turns_newest_first_until_full(conversation: Conversation, most: int, expected: str) -> None:
    await talk(conversation, "a", "b", "c")
    assert "".join(contents(await conversation.context(max_messages=most))) == expected


async def test_a_turn_that_does_not_fit_ends_it(conversation: Conversation) -> None:
    await talk(conversation, "a", "long" * 10, "c")
    chosen = await conversation.context(max_tokens=30, count_tokens=lambda message: len(str(message.content)))
    assert contents(chosen) == ["c", "C"], "what is before the gap is not taken either"


async def test_the_window_is_the_managers_default(keep: Keep) -> None:
    conversation = await SessionManager(keep, window=2).get_or_create()
    await talk(conversation, "a", "b")
    assert contents(await conversation.context()) == ["b", "B"]
    assert contents(await conversation.context(max_messages=4)) == ["a", "A", "b", "B"]


async def test_tokens_are_counted_over_pages(conversation: Conversation) -> None:
    await talk(conversation, *(f"{n:04}" for n in range(400)))
    chosen = await conversation.context(max_tokens=4 * 700, count_tokens=lambda message: len(str(message.content)))
    assert len(chosen) == 700
    assert chosen[0].content == "0050"
    assert len(await conversation.context(max_tokens=10**9)) == 800
    assert len(await conversation.context()) == 800
    few = await conversation.context(max_tokens=100)
    assert 2 <= len(few) < 30, "an estimate limits it too"


async def test_the_system_message_is_kept_and_counts(conversation: Conversation) -> None:
    await conversation.add_message("system", "Be kind")
    await talk(conversation, "a", "b", "c")
    assert contents(await conversation.context(max_messages=4)) == ["Be kind", "c", "C"]
    assert contents(await conversation.context(max_messages=5)) == ["Be kind", "b", "B", "c", "C"]
    assert contents(await conversation.context(max_messages=4, keep_system=False)) == ["b", "B", "c", "C"]
    assert contents(await conversation.context()) == ["Be kind", "a", "A", "b", "B", "c", "C"]


async def test_it_is_one_read(keep: Keep, conversation: Conversation) -> None:
    await conversation.add_message("system", "Be kind")
    await talk(conversation, *map(str, range(100)))

    async def reads(conversation: Conversation, **options: Any) -> int:
        Reads.count = 0
        await conversation.context(**options)
        return Reads.count

    assert await reads(conversation) == 1
    assert await reads(conversation, max_messages=20) == 1
    fresh = await SessionManager(keep).get_or_create("s")
    assert await reads(fresh, max_messages=20, keep_system=False) == 1
    assert await reads(fresh, max_messages=20) == 2, "the first system message is read once, beside it"
    assert await reads(fresh, max_messages=20) == 1
    assert await reads(fresh, max_tokens=100) == 1


CHAT_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
OPEN_CALL = CHAT_CALL | {"id": "c2"}


async def test_open_calls_are_dropped_in_openai_chat_format(conversation: Conversation) -> None:
    async with conversation.turn() as turn:
        turn.add("user", "Hi")
        turn.add("assistant", tool_calls=[CHAT_CALL, OPEN_CALL])
        turn.add("tool", "result", tool_call_id="c1")
        turn.add("tool", "nobody asked", tool_call_id="c9")
        turn.add("assistant", "thinking", tool_calls=[OPEN_CALL | {"id": "c3"}])
        turn.add("assistant", tool_calls=[OPEN_CALL | {"id": "c4"}])
    chosen = await conversation.context()
    assert [(m.role, m.content, m.tool_calls) for m in chosen] == [
        ("user", "Hi", None),
        ("assistant", None, [CHAT_CALL]),
        ("tool", "result", None),
        ("assistant", "thinking", None),
    ]
    assert len(await conversation.context(drop_open_calls=False)) == 6


async def test_a_result_before_its_call_is_open(conversation: Conversation) -> None:
    async with conversation.turn() as turn:
        turn.add("user", "Hi")
        turn.add("tool", "too early", tool_call_id="c1")
        turn.add("assistant", tool_calls=[CHAT_CALL])
    assert contents(await conversation.context()) == ["Hi"]


@pytest.mark.parametrize("in_event", [True, False])
async def test_open_calls_are_dropped_in_anthropic_format(conversation: Conversation, *, in_event: bool) -> None:
    def add(role: str, content: Any) -> NewMessage:
        if in_event:
            return NewMessage(role=role, event={"role": role, "content": content})
        return NewMessage(role=role, content=content)

    text = {"type": "text", "text": "I look."}
    called: dict[str, Any] = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    opened = called | {"id": "t2"}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
    async with conversation.turn() as turn:
        turn.add("user", "Hi")
        turn.add_messages([add("assistant", [text, called, opened]), add("user", [result]), add("assistant", [opened])])
    chosen = [m.content if m.event is None else m.event["content"] for m in await conversation.context()]
    assert chosen == ["Hi", [text, called], [result]]


async def test_open_calls_are_dropped_among_openai_responses_items(conversation: Conversation) -> None:
    items: list[Any] = [
        {"type": "message", "role": "user", "content": "Hi"},
        {"type": "function_call", "call_id": "f1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "f1", "output": "ok"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "function_call", "call_id": "f2", "name": "f", "arguments": "{}"},
    ]
    async with conversation.turn() as turn:
        turn.add_messages(NewMessage(role="item", event=item) for item in items)
    assert [m.event for m in await conversation.context()] == items[:4]


async def test_a_chat_event_loses_only_the_open_calls(conversation: Conversation) -> None:
    event = {"role": "assistant", "content": "I look.", "tool_calls": [CHAT_CALL, OPEN_CALL]}
    only_open = {"role": "assistant", "content": None, "tool_calls": [OPEN_CALL]}
    async with conversation.turn() as turn:
        turn.add("user", "Hi")
        turn.add("assistant", tool_calls=[CHAT_CALL, OPEN_CALL], event=event)
        turn.add("tool", "ok", tool_call_id="c1")
        turn.add("assistant", tool_calls=[OPEN_CALL], event=only_open)
    _, call, result = await conversation.context()
    assert (call.event, call.tool_calls) == (event | {"tool_calls": [CHAT_CALL]}, [CHAT_CALL])
    assert result.content == "ok"


class Summarizer:
    def __init__(self) -> None:
        self.got: list[list[Any]] = []

    async def __call__(self, messages: list[Message]) -> str:
        self.got.append(contents(messages))
        return f"summary {len(self.got)}"


async def test_a_summary_takes_the_place_of_what_falls_out(keep: Keep, conversation: Conversation) -> None:
    await conversation.add_message("system", "Be kind")
    await talk(conversation, "a", "b", "c")
    summarize = Summarizer()
    chosen = await conversation.context(max_messages=4, summarize=summarize)
    assert contents(chosen) == ["Be kind", "summary 1", "c", "C"]
    assert [message.role for message in chosen] == ["system", "system", "user", "assistant"]
    assert summarize.got == [["a", "A", "b", "B"]]
    fresh = await SessionManager(keep).get_or_create("s")
    assert contents(await fresh.context(max_messages=4, summarize=summarize)) == contents(chosen)
    assert len(summarize.got) == 1, "its text is stored once"
    assert contents(await fresh.context(max_messages=4)) == contents(chosen), "and is there without a summarizer"
    await talk(conversation, "d")
    assert contents(await conversation.context(max_messages=4, summarize=summarize))[1:] == ["summary 2", "d", "D"]
    assert summarize.got[1:] == [["summary 1", "c", "C"]]
    assert len(await conversation.history()) == 9, "the log itself stays"
    assert contents(await conversation.context())[1] == "a", "if all fits there is no summary in it"


async def test_what_was_never_read_is_summarized_too(conversation: Conversation) -> None:
    await talk(conversation, *map(str, range(40)))
    got: list[int] = []

    def summarize(messages: list[Message]) -> str:
        got.append(len(messages))
        return "short"

    chosen = await conversation.context(max_messages=3, summarize=summarize)
    assert contents(chosen) == ["short", "39", "39"]
    assert got == [78]


async def test_a_summary_goes_with_what_it_summarizes(conversation: Conversation) -> None:
    async def summarized() -> list[Any]:
        await talk(conversation, "a", "b", "c")
        return contents(await conversation.context(max_messages=3, summarize=Summarizer()))

    assert "summary 1" in await summarized()
    branch = await conversation.fork(at=1)
    assert branch.session.metadata == {}
    await conversation.rewind(to=1)
    assert conversation.session.metadata == {}
    for forget in (conversation.clear_history, conversation.reset, lambda: conversation.set_history([])):
        assert "summary 1" in await summarized()
        await forget()
        assert conversation.session.metadata == {}


async def test_racing_contexts_store_one_summary(keep: Keep, conversation: Conversation) -> None:
    await talk(conversation, "a", "b", "c")
    other = await SessionManager(keep).get_or_create("s")

    async def summarize_while_another_does(messages: list[Message]) -> str:
        await other.context(max_messages=3, summarize=Summarizer())
        return "too late"

    chosen = await conversation.context(max_messages=3, summarize=summarize_while_another_does)
    assert contents(chosen)[0] == "summary 1"


async def test_limits_are_checked(conversation: Conversation) -> None:
    with pytest.raises(InvalidInput, match="max_messages"):
        await conversation.context(max_messages=0)
    with pytest.raises(InvalidInput, match="max_tokens"):
        await conversation.context(max_tokens=-1)
    await talk(conversation, "a", "b", "c")
    with pytest.raises(InvalidInput, match="summarize returned a NoneType"):
        await conversation.context(max_messages=2, summarize=lambda messages: None)  # pyright: ignore[reportArgumentType]


async def test_open_calls_are_dropped_whatever_the_format_was(conversation: Conversation) -> None:
    text = {"type": "text", "text": "I look.", "citations": [{"unknown": 1}]}
    called: dict[str, Any] = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}, "caller": "unknown"}
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": "t1", "content": "ok", "is_error": False}
    other = result | {"tool_use_id": "t3"}
    items: list[dict[str, Any]] = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [text, called, called | {"id": "t2"}]},
        {"role": "user", "content": [result, other]},
        {"role": "assistant", "content": [called | {"id": "t4"}]},
    ]
    async with conversation.turn() as turn:
        turn.add_messages(from_anthropic(items))
    assert to_anthropic(await conversation.history()) == items
    hi, call, answer = to_anthropic(await conversation.context())
    assert hi == items[0]
    assert [block.get("id") for block in call["content"]] == [None, "t1"]
    assert [block["tool_use_id"] for block in answer["content"]] == ["t1"]
    assert to_openai(await conversation.context())[1]["tool_calls"][0]["id"] == "t1"
