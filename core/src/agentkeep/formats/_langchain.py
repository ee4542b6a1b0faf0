"""LangChain's messages, as `message_to_dict` and `model_dump` write them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from agentkeep.formats._format import Format, Names, dumped
from agentkeep.formats._parts import Image, as_text, converted, kind_of, results, without_results
from agentkeep.formats._reading import Item, Path, Reading, as_json, from_json
from agentkeep.models import Message, NewMessage

_ROLES = {
    "human": "user",
    "ai": "assistant",
    "HumanMessageChunk": "user",
    "AIMessageChunk": "assistant",
    "SystemMessageChunk": "system",
    "ToolMessageChunk": "tool",
}
_TYPES = {"user": "human", "assistant": "ai", "developer": "system"}
_FOREIGN = frozenset({"input_text", "output_text", "input_image"})


def from_langchain(items: Any) -> list[NewMessage]:
    """Messages of LangChain: a `BaseMessage`, a dict made of one, or a list of them. Raises `InvalidInput`."""
    return _FORMAT.from_items(items)


def to_langchain(messages: Iterable[Message | NewMessage]) -> list[Item]:
    """Dicts for `langchain_core.messages.messages_from_dict`. Raises `InvalidInput`.

    A message that came as a dict of `model_dump` is returned as such.
    """
    return _FORMAT.to_items(messages)


def _read(item: Item) -> Reading | None:
    inner, at = (item["data"], ["data"]) if isinstance(item.get("data"), dict) else (item, [])
    kind = item.get("type")
    if not isinstance(kind, str) or "content" not in inner:
        return None
    role = inner.get("role") if kind in ("chat", "ChatMessageChunk") else _ROLES.get(kind, kind)
    if not isinstance(role, str):
        return None
    reading = Reading(item, role)
    if isinstance(inner["content"], str | list):
        reading.content = inner["content"]
        reading.take([*at, "content"], ["content"])
    if isinstance(inner.get("name"), str):
        reading.name = inner["name"]
    if isinstance(inner.get("tool_call_id"), str):
        reading.tool_call_id = inner["tool_call_id"]
    _read_calls(reading, inner.get("tool_calls"), [*at, "tool_calls"])
    return reading


def _read_calls(reading: Reading, calls: Any, at: Path) -> None:
    for number, call in enumerate(cast("list[Any]", calls) if isinstance(calls, list) else []):
        match call:
            case {"name": str(name), "args": given, "id": str(id)} if isinstance(given, dict):
                made = reading.add_call(id, name, as_json(given))
                reading.take_json([*at, number, "args"], [*made, "function", "arguments"])
            case _:
                pass


def _write(message: Message | NewMessage, _: Names) -> list[Item]:
    found = results(message.content)
    if message.role == "tool" and message.tool_call_id is None and found:
        items = [_item("tool", {"content": as_text(one.content), "tool_call_id": one.call_id}) for one in found]
        said = converted(without_results(message.content), _text, _image, _is_native)
        return items + ([_item("human", {"content": said})] if said else [])
    content = converted(message.content, _text, _image, _is_native)
    data: Item = {"content": "" if content is None else content}
    if message.name is not None:
        data["name"] = message.name
    if message.role == "tool":
        data["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        data["tool_calls"] = [_call(call) for call in message.tool_calls]
    return [_item(_TYPES.get(message.role, message.role), data)]


def _item(kind: str, data: Item) -> Item:
    if kind not in ("human", "ai", "system", "tool"):
        return {"type": "chat", "data": {**data, "role": kind}}
    return {"type": kind, "data": data}


def _call(call: Any) -> Any:
    match call:
        case {"id": id, "function": {"name": name, "arguments": arguments}}:
            return {"name": name, "args": from_json(arguments), "id": id, "type": "tool_call"}
        case {"id": id, "custom": {"name": name, "input": given}}:
            return {"name": name, "args": {"input": given}, "id": id, "type": "tool_call"}
        case _:
            return call


def _text(text: str) -> Item:
    return {"type": "text", "text": text}


def _image(image: Image) -> Item:
    return {"type": "image_url", "image_url": {"url": image.as_url}}


def _is_native(part: Any) -> bool:
    if isinstance(part, str):
        return True
    kind = kind_of(part)
    return kind is not None and kind not in _FOREIGN


def _dump(item: Any) -> Item | None:
    kind = getattr(item, "type", None)
    data = dumped(item, exclude_unset=False)
    return None if data is None or not isinstance(kind, str) else {"type": kind, "data": data}


_FORMAT = Format("langchain", "a LangChain message, or message_to_dict of it", _read, _write, _dump)
