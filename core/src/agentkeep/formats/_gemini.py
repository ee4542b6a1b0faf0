"""Gemini's contents: https://ai.google.dev/api/caching#Content. Keys may be in camel case or in snake case."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from agentkeep.formats._format import Format, Names, dumped
from agentkeep.formats._parts import Image, converted, results, without_results
from agentkeep.formats._reading import Item, Reading, as_json, from_json
from agentkeep.models import Message, NewMessage

_ROLES = {"model": "assistant", "function": "tool"}
_DATA_KEYS = ("text", "inlineData", "inline_data", "fileData", "file_data")
_CALL_KEYS = ("functionCall", "function_call", "functionResponse", "function_response")
_CODE_KEYS = ("executableCode", "executable_code", "codeExecutionResult", "code_execution_result")
_PART_KEYS = frozenset((*_DATA_KEYS, *_CALL_KEYS, *_CODE_KEYS))


def from_gemini(items: Any) -> list[NewMessage]:
    """Contents of Gemini: a dict, a `types.Content`, or a list of them. Raises `InvalidInput`.

    A call without an id has the function's name as its id.
    """
    return _FORMAT.from_items(items)


def to_gemini(messages: Iterable[Message | NewMessage]) -> list[Item]:
    """Contents, to be given to the model as `contents`. Raises `InvalidInput`.

    The API takes the system's text as a parameter of its own, so give messages of other roles alone.
    """
    return _FORMAT.to_items(messages)


def _read(item: Item) -> Reading | None:
    parts, role = item.get("parts"), item.get("role", "user")
    if not isinstance(role, str) or not isinstance(parts, list) or "content" in item:
        return None
    reading = Reading(item, _ROLES.get(role, role))
    listed = cast("list[Any]", parts)
    if any(_of(part, "functionResponse", "function_response") is not None for part in listed):
        reading.role = "tool"
    match listed:
        case [{"text": str(text), **rest}] if not rest:
            reading.content = text
            reading.take(["parts", 0, "text"], ["content"])
        case [part] if (found := _of(part, "functionResponse", "function_response")) is not None:
            _read_result(reading, *found)
        case _:
            for number, part in enumerate(listed):
                _read_part(reading, number, part)
    return reading


def _read_result(reading: Reading, key: str, found: Item) -> None:
    name, id = found.get("name"), found.get("id", found.get("name"))
    if isinstance(found.get("response"), dict) and isinstance(name, str) and isinstance(id, str):
        reading.tool_call_id, reading.name = id, name
        reading.content = as_json(found["response"])
        reading.take_json(["parts", 0, key, "response"], ["content"])
    else:
        reading.take(["parts", 0], reading.add_part(reading.item["parts"][0]))


def _read_part(reading: Reading, number: int, part: Any) -> None:
    called = _of(part, "functionCall", "function_call")
    if called is not None:
        key, found = called
        name, arguments = found.get("name"), found.get("args", {})
        id = found.get("id", name)
        if isinstance(name, str) and isinstance(id, str) and isinstance(arguments, dict):
            call = reading.add_call(id, name, as_json(arguments))
            if "args" in found:
                reading.take_json(["parts", number, key, "args"], [*call, "function", "arguments"])
            return
    answered = _of(part, "functionResponse", "function_response")
    if answered is not None:
        key, found = answered
        id, response = found.get("id", found.get("name")), found.get("response")
        if isinstance(id, str) and isinstance(response, dict):
            result = {"type": "tool_result", "tool_call_id": id, "content": as_json(response)}
            reading.take_json(["parts", number, key, "response"], [*reading.add_part(result), "content"])
            return
    reading.take(["parts", number], reading.add_part(part))


def _of(part: Any, *keys: str) -> tuple[str, Item] | None:
    """Which of these keys a part has, and the object there."""
    if isinstance(part, dict):
        for key in keys:
            found = cast("Item", part).get(key)
            if isinstance(found, dict):
                return key, cast("Item", found)
    return None


def _write(message: Message | NewMessage, names: Names) -> list[Item]:
    if message.role == "tool":
        return [{"role": "user", "parts": _result_parts(message, names)}]
    content = converted(message.content, _text, _image, _is_native)
    parts = [_text(content)] if isinstance(content, str) else list(content or [])
    if parts == [_text("")] and message.tool_calls:
        parts = []
    role = "model" if message.role == "assistant" else message.role
    return [{"role": role, "parts": parts + [_call(call) for call in message.tool_calls or ()]}]


def _result_parts(message: Message | NewMessage, names: Names) -> list[Any]:
    if message.tool_call_id is not None:
        id = message.tool_call_id
        return [_result(id, message.name or names.get(id, id), message.content)]
    found = [
        _result(result.call_id, names.get(result.call_id, result.call_id), result.content)
        for result in results(message.content)
    ]
    return found + converted(without_results(message.content), _text, _image, _is_native)


def _result(id: str, name: str, content: Any) -> Item:
    value = from_json(content) if isinstance(content, str) else content
    response = cast("Item", value) if isinstance(value, dict) else {"output": content}
    return {"functionResponse": {"id": id, "name": name, "response": response}}


def _call(call: Any) -> Any:
    match call:
        case {"id": id, "function": {"name": name, "arguments": arguments}}:
            return {"functionCall": {"id": id, "name": name, "args": from_json(arguments)}}
        case {"id": id, "custom": {"name": name, "input": given}}:
            return {"functionCall": {"id": id, "name": name, "args": {"input": given}}}
        case _:
            return call


def _text(text: str) -> Item:
    return {"text": text}


def _image(image: Image) -> Item:
    if image.url is not None:
        return {"fileData": {"fileUri": image.url, "mimeType": image.mime}}
    return {"inlineData": {"mimeType": image.mime, "data": image.data}}


def _is_native(part: Any) -> bool:
    return isinstance(part, dict) and "type" not in part and not _PART_KEYS.isdisjoint(cast("Item", part))


def _dump(item: Any) -> Item | None:
    return dumped(item, exclude_none=True, by_alias=True)


_FORMAT = Format(
    "gemini", 'a dict with parts, such as {"role": "user", "parts": [{"text": "Hi"}]}', _read, _write, _dump
)
