"""Items of OpenAI's Responses API: https://platform.openai.com/docs/api-reference/responses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentkeep.formats._format import Format, Names
from agentkeep.formats._parts import Image, as_text, converted, kind_of, results, without_results
from agentkeep.formats._reading import Item, Reading
from agentkeep.models import Message, NewMessage

_NATIVE = frozenset({"input_text", "output_text", "input_image", "input_file", "input_audio", "refusal"})


def from_openai_responses(items: Any) -> list[NewMessage]:
    """Input and output items of the Responses API: a dict, an item of `response.output`, or a list of them.

    A call of a tool, its output, and a piece of reasoning are each a message. Raises `InvalidInput`.
    """
    return _FORMAT.from_items(items)


def to_openai_responses(messages: Iterable[Message | NewMessage]) -> list[Item]:
    """Items, to be given to the model as `input`. Raises `InvalidInput`."""
    return _FORMAT.to_items(messages)


def _read(item: Item) -> Reading | None:
    kind = item.get("type", "message")
    if kind == "message":
        return _read_message(item)
    if not isinstance(kind, str):
        return None
    if kind in ("function_call", "custom_tool_call"):
        return _read_call(item, kind)
    is_result = kind.endswith("_output")
    reading = Reading(item, "tool" if is_result else "assistant")
    if is_result and isinstance(item.get("call_id"), str):
        reading.tool_call_id = item["call_id"]
        if isinstance(item.get("output"), str | list):
            reading.content = item["output"]
            reading.take(["output"], ["content"])
    return reading


def _read_message(item: Item) -> Reading | None:
    role = item.get("role")
    if not isinstance(role, str):
        return None
    reading = Reading(item, role)
    if isinstance(item.get("content"), str | list):
        reading.content = item["content"]
        reading.take(["content"], ["content"])
    return reading


def _read_call(item: Item, kind: str) -> Reading:
    reading = Reading(item, "assistant")
    match item:
        case {"call_id": str(id), "name": str(name), "arguments": str(arguments)} if kind == "function_call":
            call = reading.add_call(id, name, arguments)
            reading.take(["arguments"], [*call, "function", "arguments"])
        case {"call_id": str(id), "name": str(name), "input": str(given)} if kind == "custom_tool_call":
            reading.tool_calls = [{"id": id, "type": "custom", "custom": {"name": name, "input": given}}]
            reading.take(["input"], ["tool_calls", 0, "custom", "input"])
        case _:
            pass
    return reading


def _write(message: Message | NewMessage, _: Names) -> list[Item]:
    if message.role == "tool":
        found = results(message.content)
        if found:
            said = converted(without_results(message.content), _input_text, _image, _is_native)
            outputs = [_output(result.call_id, result.content) for result in found]
            return outputs + ([{"role": "user", "content": said}] if said else [])
        return [_output(message.tool_call_id, message.content)]
    items: list[Item] = []
    if message.content or not message.tool_calls:
        made_by_model = message.role == "assistant"
        content = converted(message.content, _output_text if made_by_model else _input_text, _image, _is_native)
        items.append({"role": message.role, "content": "" if content is None else content})
    return items + [_call(call) for call in message.tool_calls or ()]


def _output(id: str | None, content: Any) -> Item:
    if isinstance(content, list):
        made = converted(content, _input_text, _image, _is_native)
        content = made if all(map(_is_native, made)) else as_text(content)
    return {"type": "function_call_output", "call_id": id, "output": content}


def _call(call: Any) -> Item:
    match call:
        case {"id": id, "function": {"name": name, "arguments": arguments}}:
            return {"type": "function_call", "call_id": id, "name": name, "arguments": arguments}
        case {"id": id, "custom": {"name": name, "input": given}}:
            return {"type": "custom_tool_call", "call_id": id, "name": name, "input": given}
        case _:
            return call


def _input_text(text: str) -> Item:
    return {"type": "input_text", "text": text}


def _output_text(text: str) -> Item:
    return {"type": "output_text", "text": text}


def _image(image: Image) -> Item:
    return {"type": "input_image", "image_url": image.as_url}


def _is_native(part: Any) -> bool:
    return kind_of(part) in _NATIVE


_FORMAT = Format(
    "openai_responses", 'a dict such as {"role": "user", "content": "Hi"}, or one with a type', _read, _write
)
