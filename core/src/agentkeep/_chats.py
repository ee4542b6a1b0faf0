"""Messages of frameworks, written by the bridges, as chat messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from msgspec.structs import replace

from agentkeep._items import framework_of, from_stored
from agentkeep.errors import InvalidInput
from agentkeep.formats import from_anthropic, from_gemini, from_openai_responses, from_pydantic_ai
from agentkeep.formats._reading import from_json
from agentkeep.models import Message, NewMessage


def as_chat(message: Message) -> list[NewMessage]:
    """The chat messages that a stored message is; none if it is no message of the chat.

    Raises `InvalidInput` for a message that is not in the form of its framework.
    """
    reader = _reader_of(message)
    if reader is None:
        return [_copy(message)]
    made = _read(reader, message)
    return [replace(each, turn_id=message.turn_id, created_at=message.created_at) for each in made]


def said(message: Message | NewMessage) -> list[Any]:
    """The contents and the arguments of calls in a framework's item.

    The whole item if it is in no form that this release knows: the framework may be newer.
    """
    reader = _reader_of(message)
    try:
        chat = None if reader is None else _read(reader, message)
    except InvalidInput:
        chat = None
    if chat is None:
        return [from_stored(message.event)]
    return [value for each in chat for value in (_content(each), *map(_arguments, each.tool_calls or ()))]


def _content(message: NewMessage) -> Any:
    """A tool's result is often an object as JSON text."""
    is_result = message.role == "tool" and isinstance(message.content, str)
    return from_json(cast("str", message.content)) if is_result else message.content


def _arguments(call: Any) -> Any:
    match call:
        case {"function": {"arguments": str(text)}}:
            return from_json(text)
        case _:
            return call


def _reader_of(message: Message | NewMessage) -> Callable[[Any], list[NewMessage]] | None:
    return _READERS.get(framework_of(message) or "")


def _read(reader: Callable[[Any], list[NewMessage]], message: Message | NewMessage) -> list[NewMessage]:
    try:
        return reader(from_stored(message.event))
    except (AttributeError, LookupError, TypeError) as error:
        raise InvalidInput(f"message {message.id!r} is not in the form of its framework") from error


def _copy(message: Message) -> NewMessage:
    fields = {name: getattr(message, name) for name in NewMessage.__struct_fields__}
    return NewMessage(**fields)


def _adk(event: Mapping[str, Any]) -> list[NewMessage]:
    """An event without content changes state alone."""
    content = event.get("content")
    return from_gemini(content) if content and content.get("parts") else []


def _claude(entry: Mapping[str, Any]) -> list[NewMessage]:
    """An entry without a message is a title, a mark or a summary."""
    message = entry.get("message")
    if entry.get("type") not in ("user", "assistant") or not isinstance(message, dict):
        return []
    return from_anthropic({"role": message["role"], "content": message["content"]})


def _strands(record: Mapping[str, Any]) -> list[NewMessage]:
    message = record.get("redact_message") or record["message"]
    blocks = [made for block in message["content"] for made in _converse_block(block)]
    return from_anthropic({"role": message["role"], "content": blocks}) if blocks else []


def _converse_block(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A block of Bedrock's Converse as Anthropic's. Others than text, images and tools are left out."""
    if "text" in block:
        return [{"type": "text", "text": block["text"]}]
    if "toolUse" in block:
        use = block["toolUse"]
        return [{"type": "tool_use", "id": use["toolUseId"], "name": use["name"], "input": use["input"]}]
    if "toolResult" in block:
        result = block["toolResult"]
        content = [made for part in result["content"] for made in _converse_block(part)]
        return [{"type": "tool_result", "tool_use_id": result["toolUseId"], "content": content}]
    if "json" in block:
        return [{"type": "text", "text": json.dumps(block["json"], ensure_ascii=False)}]
    if "image" in block and "bytes" in block["image"].get("source", {}):
        media_type, data = f"image/{block['image']['format']}", block["image"]["source"]["bytes"]["data"]
        return [{"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}]
    return []


_READERS: Mapping[str, Callable[[Any], list[NewMessage]]] = {
    "claude-agent": _claude,
    "google-adk": _adk,
    "openai-agents": from_openai_responses,
    "pydantic-ai": from_pydantic_ai,
    "strands-agents": _strands,
}
"""By the name with which a bridge marks its messages."""
