"""What bridges to agent frameworks stand on."""

from __future__ import annotations

from typing import Any
from unittest.mock import AsyncMock

import agentkeep
import pytest
from agentkeep import InvalidInput, NewMessage, OutcomeUnknown
from agentkeep.bridging import (
    append_once,
    chat_messages,
    from_stored,
    item_message,
    item_of,
    joined_id,
    single_name,
    to_stored,
)
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.lists(st.text(st.characters(categories=None, exclude_categories=[])), min_size=2, max_size=2)


@given(one=NAMES, other=NAMES)
def test_different_names_never_share_an_id(one: list[str], other: list[str]) -> None:
    assert (joined_id(*one) == joined_id(*other)) == (one == other)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["", "#", "%", "/", "\x00", "\ud800", "日" * 200, "#" * 300, "x" * 255, "x" * 256])
async def test_any_name_makes_an_id_that_is_accepted(name: str) -> None:
    async with agentkeep.connect("memory://") as keep:
        ids = {joined_id(name), joined_id(name, ""), joined_id("", name), joined_id(name, name)}
        for id in ids:
            await keep.sessions.create(id)
        assert len(ids) == (2 if name == "" else 4)


def test_names_that_need_no_escape_stay_readable() -> None:
    assert joined_id("travel", "Ann Müller", "trip-42") == "travel/Ann Müller/trip-42"
    assert joined_id("a/b", "50%") == "a%2Fb/50%25"


@given(st.text(st.characters(categories=None, exclude_categories=[]), max_size=60))
def test_an_id_of_one_name_says_the_name(name: str) -> None:
    assert single_name(joined_id(name)) == name


@pytest.mark.parametrize("id", ["a/b", "#" + "0" * 64, "50% off", "100%", joined_id("x" * 300)])
def test_an_id_that_was_not_made_of_one_name_is_its_own(id: str) -> None:
    assert single_name(id) == id


ODD: list[Any] = [{"cut": "\ud83d"}, [float("inf")], {"agentkeep:json": "1"}, {"agentkeep:json": None, "more": 1}]
PLAIN: list[Any] = [None, {"a": [1, 1.0, "x"]}, "text", 2**70, {}]


@pytest.mark.anyio
@pytest.mark.parametrize("value", ODD + PLAIN)
async def test_a_value_is_stored_and_comes_back_equal(value: Any) -> None:
    async with agentkeep.connect("memory://") as keep:
        await keep.messages.append("s", [NewMessage(role="user", event=to_stored(value))], create={})
        [message] = await keep.messages.tail("s", 1)
    assert from_stored(message.event) == value


@pytest.mark.parametrize("value", PLAIN)
def test_what_can_be_stored_stays_as_it_is(value: Any) -> None:
    assert to_stored(value) is value


def test_tuples_and_other_keys_become_what_json_says() -> None:
    assert from_stored(to_stored({1: (2, 3)})) == {"1": [2, 3]}
    with pytest.raises(TypeError):
        to_stored({"raw": b"bytes"})


@pytest.mark.anyio
async def test_an_append_is_asked_again_with_the_same_ids() -> None:
    messages = AsyncMock()
    messages.append.side_effect = [OutcomeUnknown("lost"), OutcomeUnknown("lost"), "landed"]
    batch = [NewMessage(role="user", id="mine"), NewMessage(role="user")]
    assert await append_once(messages, "s", batch, create={}) == "landed"
    sent = [[message.id for message in call.args[1]] for call in messages.append.await_args_list]
    assert sent[0][0] == "mine"
    assert sent[0][1]
    assert sent == [sent[0]] * 3
    messages.append.side_effect = OutcomeUnknown("lost")
    with pytest.raises(OutcomeUnknown):
        await append_once(messages, "s", batch)


CHATS: dict[str, list[Any]] = {
    "claude-agent": [
        {"type": "ai-title", "aiTitle": "Oslo"},
        {"type": "user", "message": {"role": "user", "content": "Weather?"}},
        {"type": "assistant", "message": {"role": "assistant", "content": [
            {"type": "tool_use", "id": "1", "name": "weather", "input": {"city": "Oslo"}}]}},
        {"type": "user", "message": {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "1", "content": "sun"}]}},
        {"type": "assistant", "message": {"role": "assistant", "content": [{"type": "text", "text": "Sunny."}]}},
    ],
    "google-adk": [
        {"author": "user", "content": {"role": "user", "parts": [{"text": "Weather?"}]}},
        {"author": "a", "content": {"role": "model", "parts": [
            {"functionCall": {"id": "1", "name": "weather", "args": {"city": "Oslo"}}}]}},
        {"author": "a", "content": {"role": "user", "parts": [
            {"functionResponse": {"id": "1", "name": "weather", "response": {"result": "sun"}}}]}},
        {"author": "a", "actions": {"stateDelta": {"x": 1}}},
        {"author": "a", "content": {"role": "model", "parts": [{"text": "Sunny."}]}},
    ],
    "openai-agents": [
        {"role": "user", "content": "Weather?"},
        {"type": "function_call", "call_id": "1", "name": "weather", "arguments": '{"city": "Oslo"}'},
        {"type": "function_call_output", "call_id": "1", "output": "sun"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Sunny."}]},
    ],
    "pydantic-ai": [
        {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "Weather?"}]},
        {"kind": "response", "parts": [
            {"part_kind": "tool-call", "tool_name": "weather", "args": {"city": "Oslo"}, "tool_call_id": "1"}]},
        {"kind": "request", "parts": [
            {"part_kind": "tool-return", "tool_name": "weather", "content": "sun", "tool_call_id": "1"}]},
        {"kind": "response", "parts": [{"part_kind": "text", "content": "Sunny."}]},
    ],
    "strands-agents": [
        {"message": {"role": "user", "content": [{"text": "Weather?"}]}},
        {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "hm"}}},
            {"toolUse": {"toolUseId": "1", "name": "weather", "input": {"city": "Oslo"}}}]}},
        {"message": {"role": "user", "content": [
            {"toolResult": {"toolUseId": "1", "status": "success", "content": [{"text": "sun"}]}}]}},
        {"message": {"role": "assistant", "content": [{"text": "a secret"}]},
         "redact_message": {"role": "assistant", "content": [{"text": "Sunny."}]}},
    ],
}  # fmt: skip
"""One talk, as each bridge stores it."""


@pytest.mark.anyio
@pytest.mark.parametrize("framework", CHATS)
async def test_a_session_of_any_bridge_is_one_chat(framework: str) -> None:
    from agentkeep.formats import to_openai

    async with agentkeep.connect("memory://") as keep:
        written = [item_message(framework, event, role="x", turn_id="t") for event in CHATS[framework]]
        await keep.messages.append("s", written, create={})
        chat = chat_messages(await keep.messages.tail("s", 9))
    said = to_openai(chat)
    assert [item["role"] for item in said] == ["user", "assistant", "tool", "assistant"]
    assert text_of(said[0]) == "Weather?"
    [call] = said[1]["tool_calls"]
    assert (call["function"]["name"], call["id"]) == ("weather", said[2]["tool_call_id"])
    assert "sun" in text_of(said[2])
    assert text_of(said[3]) == "Sunny."
    assert {message.turn_id for message in chat} == {"t"}


@pytest.mark.anyio
async def test_what_a_tool_returned_as_json_reads_as_it_was_written() -> None:
    result = {"toolUseId": "1", "status": "success", "content": [{"json": {"city": "Tromsø"}}]}
    event = {"message": {"role": "user", "content": [{"toolResult": result}]}}
    async with agentkeep.connect("memory://") as keep:
        written = item_message("strands-agents", event, role="x", turn_id="t")
        await keep.messages.append("s", [written], create={})
        [shown] = chat_messages(await keep.messages.tail("s", 9))
    assert "Tromsø" in str(shown.content)


@pytest.mark.anyio
async def test_an_item_of_which_nothing_is_shown_is_no_message() -> None:
    event = {"message": {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "hm"}}}]}}
    async with agentkeep.connect("memory://") as keep:
        written = item_message("strands-agents", event, role="x", turn_id="t")
        await keep.messages.append("s", [written], create={})
        assert chat_messages(await keep.messages.tail("s", 9)) == []


def text_of(item: dict[str, Any]) -> str:
    content = item["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


@pytest.mark.anyio
@pytest.mark.parametrize("framework", CHATS)
async def test_a_search_looks_at_what_was_said_in_an_item(framework: str) -> None:
    """SRCH-1: a date, an author, a working directory or an id of the framework is no text of the conversation."""
    around = {"author": "planner", "timestamp": "2026-11-28", "cwd": "/home/ann", "status": "completed"}
    async with agentkeep.connect("memory://") as keep:
        written = [item_message(framework, event | around, role="x") for event in CHATS[framework]]
        await keep.messages.append("s", written, create={})
        chat = [message.seq for message in await keep.messages.tail("s", 9) if chat_messages([message])]
        found = {
            query: sorted(hit.message.seq for hit in await keep.messages.search(query))
            for query in ("weather?", "OSLO", "sun", "sunny", "planner", "2026", "ann", "completed", "secret")
        }
    asked, called, told, answered = chat
    assert found == {
        "weather?": [asked], "OSLO": [called], "sun": [told, answered], "sunny": [answered],
        "planner": [], "2026": [], "ann": [], "completed": [], "secret": [],
    }  # fmt: skip


@pytest.mark.anyio
async def test_an_item_in_no_known_form_is_searched_whole() -> None:
    async with agentkeep.connect("memory://") as keep:
        items = [{"content": "of a newer form"}, {"content": {"parts": [{"text": "half \ud83d an emoji"}]}}]
        written = [item_message("google-adk", item, role="user") for item in items]
        await keep.messages.append("s", [*written, item_message("newer", items[0], role="user")], create={})
        assert len(await keep.messages.search("newer form")) == 2
        [hit] = await keep.messages.search("an emoji")
        assert hit.highlights[0].startswith("half ")
        newer, emoji, unknown = await keep.messages.tail("s", 3)
        with pytest.raises(InvalidInput, match="form of its framework"):
            chat_messages([newer])
        assert len(chat_messages([emoji, unknown])) == 2


@pytest.mark.anyio
async def test_an_item_is_read_by_its_own_framework_alone() -> None:
    async with agentkeep.connect("memory://") as keep:
        messages = [item_message("google-adk", {"n": float("inf")}, role="user"), NewMessage(role="user", content="hi")]
        await keep.messages.append("s", messages, create={})
        ours, plain = await keep.messages.tail("s", 2)
    assert item_of(ours, "google-adk") == {"n": float("inf")}
    with pytest.raises(InvalidInput, match="is of google-adk, not of openai-agents"):
        item_of(ours, "openai-agents")
    with pytest.raises(InvalidInput, match="is of no bridge"):
        item_of(plain, "google-adk")


@pytest.mark.anyio
async def test_a_message_of_no_bridge_is_as_it_is() -> None:
    async with agentkeep.connect("memory://") as keep:
        message = NewMessage(role="user", content="hi", id="1", metadata={"a": 1})
        await keep.messages.append("s", [message], create={})
        [found] = chat_messages(await keep.messages.tail("s", 1))
    assert (found.content, found.id, found.metadata, found.role) == ("hi", "1", {"a": 1}, "user")
