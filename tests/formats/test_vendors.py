"""Each vendor's own types go through a database and come back equal; the vendor's own code reads what comes back.

Their packages are in the dependency group `vendors`. Core needs none of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import agentkeep.sync
import pytest
from agentkeep import InvalidInput, Message, NewMessage, formats
from anthropic.types import Message as AnthropicMessage
from google.genai import types as genai
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
from openai.types.chat import ChatCompletionMessage
from openai.types.responses import ResponseOutputItem
from pydantic import TypeAdapter
from pydantic_ai import ModelMessagesTypeAdapter, UserPromptPart
from pydantic_ai.messages import ModelMessage, ModelRequest

from . import vendors

EXAMPLES = settings(max_examples=60, deadline=None)
_OUTPUT: TypeAdapter[Any] = TypeAdapter(ResponseOutputItem)


@pytest.fixture(scope="module")
def keep() -> Iterator[agentkeep.sync.SyncKeep]:
    with agentkeep.sync.connect("memory://") as opened:
        yield opened


def stored(keep: agentkeep.sync.SyncKeep, messages: list[NewMessage]) -> list[Message]:
    session = keep.sessions.create()
    keep.messages.append(session.id, messages)
    return keep.messages.tail(session.id, 1_000)


def same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@EXAMPLES
@given(said=st.lists(vendors.OPENAI, max_size=3))
def test_openai_chat(keep: agentkeep.sync.SyncKeep, said: list[ChatCompletionMessage]) -> None:
    back = formats.to_openai(stored(keep, formats.from_openai(said)))
    assert same(back, [message.model_dump(mode="json", exclude_unset=True) for message in said])
    assert [ChatCompletionMessage.model_validate(item) for item in back] == said


@EXAMPLES
@given(said=vendors.RESPONSES)
def test_openai_responses(keep: agentkeep.sync.SyncKeep, said: list[Any]) -> None:
    back = formats.to_openai_responses(stored(keep, formats.from_openai_responses(said)))
    assert same(back, [item.model_dump(mode="json", exclude_unset=True) for item in said])
    assert [_OUTPUT.validate_python(item) for item in back] == said


@EXAMPLES
@given(said=vendors.ANTHROPIC)
def test_anthropic(keep: agentkeep.sync.SyncKeep, said: AnthropicMessage) -> None:
    messages = stored(keep, formats.from_anthropic(said))
    (back,) = formats.to_anthropic(messages, whole=True)
    assert same(back, said.model_dump(mode="json", exclude_unset=True))
    assert AnthropicMessage.model_validate(back) == said
    (sent,) = formats.to_anthropic(messages)
    assert sent == {"role": "assistant", "content": back["content"]}


@EXAMPLES
@given(said=vendors.GEMINI)
def test_gemini(keep: agentkeep.sync.SyncKeep, said: genai.Content) -> None:
    (back,) = formats.to_gemini(stored(keep, formats.from_gemini(said)))
    assert same(back, said.model_dump(mode="json", exclude_none=True, by_alias=True))
    assert genai.Content.model_validate(back) == said


@EXAMPLES
@given(said=st.lists(vendors.LANGCHAIN, max_size=3))
def test_langchain(keep: agentkeep.sync.SyncKeep, said: list[BaseMessage]) -> None:
    back = formats.to_langchain(stored(keep, formats.from_langchain(said)))
    assert same(back, [message_to_dict(message) for message in said])
    assert messages_from_dict(back) == said
    flat = [message.model_dump(mode="json") for message in said]
    assert same(formats.to_langchain(stored(keep, formats.from_langchain(flat))), flat)


@EXAMPLES
@given(said=st.lists(vendors.PYDANTIC_AI, max_size=3))
def test_pydantic_ai(keep: agentkeep.sync.SyncKeep, said: list[ModelMessage]) -> None:
    dumped = ModelMessagesTypeAdapter.dump_python(said, mode="json")
    back = formats.to_pydantic_ai(stored(keep, formats.from_pydantic_ai(dumped)))
    assert same(back, dumped)
    read = ModelMessagesTypeAdapter.validate_python(back)
    assert same(ModelMessagesTypeAdapter.dump_python(read, mode="json"), dumped)


def test_pydantic_ais_objects_are_refused_with_the_way_to_dump_them() -> None:
    with pytest.raises(InvalidInput, match=r"ModelMessagesTypeAdapter\.dump_python"):
        formats.from_pydantic_ai([ModelRequest(parts=[UserPromptPart("Hi")])])


def test_a_log_of_another_format_is_read_by_the_vendors_own_code() -> None:
    """Every message of this log was made from OpenAI's chat format."""
    log = formats.from_openai(
        [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, _IMAGE]},
            {"role": "assistant", "content": "I look.", "tool_calls": [_CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "van"},
        ]
    )
    kinds = [message.type for message in messages_from_dict(formats.to_langchain(log))]
    assert kinds == ["human", "ai", "tool"]
    contents = [genai.Content.model_validate(item) for item in formats.to_gemini(log)]
    assert [part.function_call.args for content in contents for part in content.parts or () if part.function_call] == [
        {"id": 7}
    ]
    assert [part.inline_data.data for part in contents[0].parts or () if part.inline_data] == [b"\xff\xfe\xfb"]
    asked, called, _ = ModelMessagesTypeAdapter.validate_python(formats.to_pydantic_ai(log))
    assert "Hi" in str(asked)
    assert [(part.tool_name, part.args) for part in called.parts if part.part_kind == "tool-call"] == [
        ("track", '{"id":7}')
    ]
    items = formats.to_openai_responses(log)
    assert [item.get("type") for item in items] == [None, None, "function_call", "function_call_output"]


_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,//77"}}
_CALL = {"id": "c1", "type": "function", "function": {"name": "track", "arguments": '{"id":7}'}}
