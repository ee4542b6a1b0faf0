"""Anthropic's messages: https://docs.anthropic.com/en/api/messages.

Results of tools stand in messages of role user there. Here such messages have the role tool, so that a turn begins only
with what the user said (READ-4).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from agentkeep.formats._format import Format, Names
from agentkeep.formats._parts import Image, converted, kind_of, result_of
from agentkeep.formats._reading import Item, Reading, as_json, from_json
from agentkeep.models import Message, NewMessage

_FOREIGN = frozenset({"image_url", "input_text", "output_text", "input_image", "reasoning"})


def from_anthropic(items: Any) -> list[NewMessage]:
    """Messages of Anthropic: a dict, a `Message` that the model returned, or a list of them. Raises `InvalidInput`."""
    return _FORMAT.from_items(items)


def to_anthropic(messages: Iterable[Message | NewMessage], *, whole: bool = False) -> list[Item]:
    """Messages, to be given to the model as `messages`.

    The API refuses what only a returned message has (`id`, `model`, `usage`, …), so that is left out unless `whole`.
    The API takes the system's text as a parameter of its own, so give messages of other roles alone.
    Raises `InvalidInput`.
    """
    items = _FORMAT.to_items(messages)
    return items if whole else [_as_input(item) for item in items]


def _as_input(item: Item) -> Item:
    if item.get("type") != "message":
        return item
    return {name: item[name] for name in ("role", "content") if name in item}


def _read(item: Item) -> Reading | None:
    role = item.get("role")
    if not isinstance(role, str):
        return None
    reading = Reading(item, role)
    content = item.get("content")
    if isinstance(content, str):
        reading.content = content
        reading.take(["content"], ["content"])
    elif isinstance(content, list):
        _read_blocks(reading, cast("list[Any]", content))
    return reading


def _read_blocks(reading: Reading, blocks: list[Any]) -> None:
    if any(result_of(block) is not None for block in blocks):
        reading.role = "tool"
    match blocks:
        case [{"type": "tool_result", "tool_use_id": str(id), "content": content}] if isinstance(content, str | list):
            reading.tool_call_id = id
            reading.content = content
            reading.take(["content", 0, "content"], ["content"])
            return
        case []:
            reading.content = []
        case _:
            pass
    for number, block in enumerate(blocks):
        match block:
            case {"type": "tool_use", "id": str(id), "name": str(name), "input": given} if isinstance(given, dict):
                call = reading.add_call(id, name, as_json(given))
                reading.take_json(["content", number, "input"], [*call, "function", "arguments"])
            case _:
                reading.take(["content", number], reading.add_part(block))


def _write(message: Message | NewMessage, _: Names) -> list[Item]:
    content = converted(message.content, _text, _image, _is_native)
    if message.role == "tool":
        if message.tool_call_id is not None:
            content = [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": content}]
        elif isinstance(content, list):
            content = [_result(part) for part in cast("list[Any]", content)]
        return [{"role": "user", "content": content}]
    if message.tool_calls:
        blocks = [_text(content)] if isinstance(content, str) and content else content or []
        content = [*blocks, *map(_call, message.tool_calls)]
    return [{"role": message.role, "content": "" if content is None else content}]


def _result(part: Any) -> Any:
    match part:
        case {"type": "tool_result", "tool_call_id": id, "content": content}:
            return {"type": "tool_result", "tool_use_id": id, "content": content}
        case _:
            return part


def _call(call: Any) -> Any:
    match call:
        case {"id": id, "function": {"name": name, "arguments": arguments}}:
            return {"type": "tool_use", "id": id, "name": name, "input": from_json(arguments)}
        case {"id": id, "custom": {"name": name, "input": given}}:
            return {"type": "tool_use", "id": id, "name": name, "input": {"input": given}}
        case _:
            return call


def _text(text: str) -> Item:
    return {"type": "text", "text": text}


def _image(image: Image) -> Item:
    if image.url is not None:
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    return {"type": "image", "source": {"type": "base64", "media_type": image.mime, "data": image.data}}


def _is_native(part: Any) -> bool:
    kind = kind_of(part)
    if kind == "image":
        return "source" in part
    if kind == "thinking":
        return "signature" in part
    return kind is not None and kind not in _FOREIGN


_FORMAT = Format("anthropic", 'a dict with a role, such as {"role": "user", "content": "Hi"}', _read, _write)
