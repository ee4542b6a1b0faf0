"""Pydantic AI's messages, as its `ModelMessagesTypeAdapter` writes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from agentkeep.formats._format import Format, Names
from agentkeep.formats._parts import Image, as_text, converted, results, without_results
from agentkeep.formats._reading import Item, Path, Reading, as_json
from agentkeep.models import Message, NewMessage

_TEXTS = ("user-prompt", "system-prompt", "text")
_RESULTS = ("tool-return", "retry-prompt")


def from_pydantic_ai(items: Any) -> list[NewMessage]:
    """Messages of Pydantic AI as dicts, one or a list.

    They are what `ModelMessagesTypeAdapter.dump_python(result.new_messages(), mode="json")` returns.
    Raises `InvalidInput`.
    """
    return _FORMAT.from_items(items)


def to_pydantic_ai(messages: Iterable[Message | NewMessage]) -> list[Item]:
    """Dicts for `ModelMessagesTypeAdapter.validate_python`. Raises `InvalidInput`."""
    return _FORMAT.to_items(messages)


def _read(item: Item) -> Reading | None:
    kind, parts = item.get("kind"), item.get("parts")
    if kind not in ("request", "response") or not isinstance(parts, list):
        return None
    listed = [cast("Item", part) if isinstance(part, dict) else {} for part in cast("list[Any]", parts)]
    reading = Reading(item, "assistant" if kind == "response" else _role(listed))
    text = [number for number, part in enumerate(listed) if part.get("part_kind") in (*_TEXTS, *_RESULTS, "thinking")]
    alone = len(text) == 1 and listed[text[0]].get("part_kind") != "thinking"
    for number, part in enumerate(listed):
        _read_part(reading, ["parts", number], part, alone=alone)
    return reading


def _role(parts: list[Item]) -> str:
    if any(_answers_call(part) for part in parts):
        return "tool"
    return "system" if all(part.get("part_kind") == "system-prompt" for part in parts) else "user"


def _answers_call(part: Item) -> bool:
    """Whether a part is the result of a tool's call. A prompt to try again may be that, or answer the model's text."""
    kind = part.get("part_kind")
    return kind == "tool-return" or (kind == "retry-prompt" and part.get("tool_name") is not None)


def _read_part(reading: Reading, at: Path, part: Item, *, alone: bool) -> None:
    match part:
        case {"part_kind": "tool-call", "tool_name": str(name), "tool_call_id": str(id), "args": str(arguments)}:
            reading.take([*at, "args"], [*reading.add_call(id, name, arguments), "function", "arguments"])
        case {"part_kind": "tool-call", "tool_name": str(name), "tool_call_id": str(id), "args": given} if isinstance(
            given, dict
        ):
            reading.take_json([*at, "args"], [*reading.add_call(id, name, as_json(given)), "function", "arguments"])
        case {"part_kind": "tool-call", "tool_name": str(name), "tool_call_id": str(id), "args": None}:
            reading.add_call(id, name, "{}")
        case {"part_kind": "thinking", "content": str(text)}:
            reading.take([*at, "content"], [*reading.add_part({"type": "thinking", "thinking": text}), "thinking"])
        case {"tool_call_id": str(id), "content": content} if _answers_call(part):
            _read_result(reading, [*at, "content"], id, content, part.get("tool_name"), alone=alone)
        case {"part_kind": kind, "content": content} if kind in (*_TEXTS, *_RESULTS) and isinstance(
            content, str | list
        ):
            _read_text(reading, [*at, "content"], cast("str | list[Any]", content), alone=alone)
        case _:
            pass


def _read_result(reading: Reading, at: Path, id: str, content: Any, name: Any, *, alone: bool) -> None:
    text = content if isinstance(content, str) else as_json(content)
    if alone:
        reading.tool_call_id, reading.content = id, text
        reading.name = name if isinstance(name, str) else None
        field: Path = ["content"]
    else:
        result = {"type": "tool_result", "tool_call_id": id, "content": text}
        field = [*reading.add_part(result), "content"]
    (reading.take if isinstance(content, str) else reading.take_json)(at, field)


def _read_text(reading: Reading, at: Path, content: str | list[Any], *, alone: bool) -> None:
    if alone:
        reading.content = content
        reading.take(at, ["content"])
    elif isinstance(content, str):
        reading.take(at, [*reading.add_part({"type": "text", "text": content}), "text"])
    else:
        for number, part in enumerate(content):
            reading.take([*at, number], reading.add_part(part))


def _write(message: Message | NewMessage, names: Names) -> list[Item]:
    if message.role == "assistant":
        return [{"kind": "response", "parts": _response_parts(message)}]
    content = converted(message.content, str, _image, _is_native)
    if message.role == "tool":
        parts = _result_parts(message, names)
    elif message.role in ("system", "developer"):
        parts = [{"part_kind": "system-prompt", "content": as_text(message.content)}]
    else:
        parts = [{"part_kind": "user-prompt", "content": "" if content is None else content}]
    return [{"kind": "request", "parts": parts}]


def _response_parts(message: Message | NewMessage) -> list[Item]:
    text = as_text(message.content)
    parts: list[Item] = [{"part_kind": "text", "content": text}] if text else []
    return parts + [_call(call) for call in message.tool_calls or ()]


def _result_parts(message: Message | NewMessage, names: Names) -> list[Item]:
    if message.tool_call_id is not None:
        return [_result(message.tool_call_id, message.name, message.content, names)]
    found = [_result(result.call_id, None, result.content, names) for result in results(message.content)]
    said = converted(without_results(message.content), str, _image, _is_native)
    return found + ([{"part_kind": "user-prompt", "content": said}] if said else [])


def _result(id: str, name: str | None, content: Any, names: Names) -> Item:
    known = name or names.get(id, id)
    return {"part_kind": "tool-return", "tool_name": known, "tool_call_id": id, "content": as_text(content)}


def _call(call: Any) -> Any:
    match call:
        case {"id": id, "function": {"name": name, "arguments": arguments}}:
            return {"part_kind": "tool-call", "tool_name": name, "tool_call_id": id, "args": arguments}
        case {"id": id, "custom": {"name": name, "input": given}}:
            return {"part_kind": "tool-call", "tool_name": name, "tool_call_id": id, "args": {"input": given}}
        case _:
            return call


def _image(image: Image) -> Item:
    if image.url is not None:
        return {"kind": "image-url", "url": image.url}
    return {"kind": "binary", "data": image.data, "media_type": image.mime}


def _is_native(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and "kind" in part)


_FORMAT = Format(
    "pydantic_ai", 'dicts of ModelMessagesTypeAdapter.dump_python(messages, mode="json")', _read, _write, lambda _: None
)
