"""Sessions of frameworks, written by the bridges, as chat messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from agentkeep.errors import InvalidInput
from agentkeep.formats import from_anthropic, from_gemini, from_openai_responses, from_pydantic_ai
from agentkeep.models import Message, NewMessage, Session


def chat_messages(session: Session, messages: Iterable[Message], read: Callable[[Any], Any]) -> list[NewMessage]:
    reader = _READERS.get(session.agent_name or "")
    if reader is None:
        return [_copy(message) for message in messages]
    return [
        replace(made, turn_id=message.turn_id, created_at=message.created_at)
        for message in messages
        for made in _read(reader, read(message.event), message)
    ]


def _read(reader: Callable[[Any], list[NewMessage]], event: Any, message: Message) -> list[NewMessage]:
    try:
        return reader(event)
    except (AttributeError, LookupError, TypeError) as error:
        raise InvalidInput(f"message {message.id!r} is not in the form of the session's framework") from error


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
    "claude-agent/sub": _claude,
    "google-adk": _adk,
    "openai-agents": from_openai_responses,
    "openai-agents/branch": from_openai_responses,
    "pydantic-ai": from_pydantic_ai,
    "strands/agent": _strands,
}
"""By the `agent_name` that a bridge gives its sessions."""
