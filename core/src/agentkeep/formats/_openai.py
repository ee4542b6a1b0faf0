"""OpenAI's chat messages: https://platform.openai.com/docs/api-reference/chat/create."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentkeep.formats._format import Format, Names
from agentkeep.formats._parts import Image, as_text, converted, kind_of, results, without_results
from agentkeep.formats._reading import Item, Reading
from agentkeep.models import Message, NewMessage

_TEXTS = ("name", "tool_call_id")
_NATIVE = frozenset({"text", "image_url", "input_audio", "file", "refusal"})


def from_openai(items: Any) -> list[NewMessage]:
    """Chat messages of OpenAI (and of all who speak its format): a dict, a `ChatCompletionMessage`, or a list of them.

    Raises `InvalidInput`.
    """
    return _FORMAT.from_items(items)


def to_openai(messages: Iterable[Message | NewMessage]) -> list[Item]:
    """Chat messages, to be given to the model as `messages`. Raises `InvalidInput`."""
    return _FORMAT.to_items(messages)


def _read(item: Item) -> Reading | None:
    role = item.get("role")
    if not isinstance(role, str):
        return None
    reading = Reading(item, role)
    if isinstance(item.get("content"), str | list):
        reading.content = item["content"]
        reading.take(["content"], ["content"])
    for name in _TEXTS:
        if isinstance(item.get(name), str):
            setattr(reading, name, item[name])
    if isinstance(item.get("tool_calls"), list):
        reading.tool_calls = item["tool_calls"]
        reading.take(["tool_calls"], ["tool_calls"])
    return reading


def _write(message: Message | NewMessage, _: Names) -> list[Item]:
    several = results(message.content)
    if several:
        items: list[Item] = [
            {"role": "tool", "content": as_text(found.content), "tool_call_id": found.call_id} for found in several
        ]
        said = converted(without_results(message.content), _text, _image, _is_native)
        return items + ([{"role": "user", "content": said}] if said else [])
    content = converted(message.content, _text, _image, _is_native)
    item: Item = {"role": message.role, "content": content}
    for name in (*_TEXTS, "tool_calls"):
        value = getattr(message, name)
        if value is not None:
            item[name] = value
    return [item]


def _text(text: str) -> Item:
    return {"type": "text", "text": text}


def _image(image: Image) -> Item:
    return {"type": "image_url", "image_url": {"url": image.as_url}}


def _is_native(part: Any) -> bool:
    return kind_of(part) in _NATIVE


_FORMAT = Format("openai", 'a dict with a role, such as {"role": "user", "content": "Hi"}', _read, _write)
