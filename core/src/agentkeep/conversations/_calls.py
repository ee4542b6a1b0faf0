"""Tool calls and their results in messages, in the formats of the common models.

Calls: OpenAI chat (`tool_calls`), OpenAI Responses items (`function_call` and other `…_call`), Anthropic (`tool_use`
blocks). Results: `tool_call_id`, `…_call_output` items, `tool_result` blocks. They stand in a message's fields, in its
`content`, or in its `event`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from msgspec.structs import replace

from agentkeep.models import Message

Item = dict[str, Any]


def without_open_calls(messages: Sequence[Message]) -> list[Message]:
    """The messages without calls that have no result after them and results that have no call before them.

    A message that has nothing else is left out.
    """
    calls: set[str] = set()
    answered: set[str] = set()
    for message in messages:
        answered |= {id for id in _results(message) if id in calls}
        calls |= set(_calls(message))
    kept = (_limited_to(message, answered) for message in messages)
    return [message for message in kept if message is not None]


def _calls(message: Message) -> Iterator[str]:
    for item in _items(message):
        if (id := _call_id(item)) is not None:
            yield id


def _results(message: Message) -> Iterator[str]:
    if message.tool_call_id is not None:
        yield message.tool_call_id
    for item in _items(message):
        if (id := _result_id(item)) is not None:
            yield id


def _limited_to(message: Message, answered: set[str]) -> Message | None:
    """None if nothing is left of the message."""

    def is_kept(item: Any) -> bool:
        if not isinstance(item, dict):
            return True
        found = cast("Item", item)
        ids = (_call_id(found), _result_id(found))
        return all(id is None or id in answered for id in ids)

    if message.tool_call_id is not None and message.tool_call_id not in answered:
        return None
    if all(is_kept(item) for item in _items(message)):
        return message
    event = _event_with(message.event, is_kept)
    content = _list_with(message.content, is_kept)
    tool_calls = _list_with(message.tool_calls, is_kept)
    left = replace(message, event=event, content=content, tool_calls=tool_calls or None)
    return None if left.tool_calls is None and _is_empty(left.content) and _is_empty(event) else left


def _event_with(event: Any, is_kept: Callable[[Any], bool]) -> Any:
    if isinstance(event, list):
        return _list_with(event, is_kept)
    if not isinstance(event, dict):
        return event
    item = cast("Item", event)
    if not is_kept(item) or "holes" in item:  # the rest of an item of `agentkeep.formats`: the fields say what is left
        return None
    lists = {name: _list_with(item[name], is_kept) for name in ("content", "tool_calls") if name in item}
    if lists.get("tool_calls") == []:
        del lists["tool_calls"]
        item = {name: value for name, value in item.items() if name != "tool_calls"}
    left = item | lists
    return None if "tool_calls" not in left and _is_empty(left.get("content")) else left


def _list_with(value: Any, is_kept: Callable[[Any], bool]) -> Any:
    return [item for item in cast("list[Any]", value) if is_kept(item)] if isinstance(value, list) else value


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [])


def _items(message: Message) -> Iterator[Item]:
    """All dicts in which a call or a result may stand."""
    event = message.event
    groups: list[Any] = [message.tool_calls, message.content, event, [event]]
    if isinstance(event, dict):
        groups += [cast("Item", event).get("content"), cast("Item", event).get("tool_calls")]
    for group in groups:
        if isinstance(group, list):
            yield from (cast("Item", item) for item in cast("list[Any]", group) if isinstance(item, dict))


def _call_id(item: Item) -> str | None:
    kind = item.get("type")
    if kind == "tool_use" or (kind in (None, "function", "tool_call") and ("function" in item or "args" in item)):
        return _text(item.get("id"))
    if isinstance(kind, str) and kind.endswith("_call") and kind != "tool_call":
        return _text(item.get("call_id"))  # calls that OpenAI's own servers answer have none
    return None


def _result_id(item: Item) -> str | None:
    kind = item.get("type")
    if kind == "tool_result":
        return _text(item.get("tool_use_id", item.get("tool_call_id")))
    if isinstance(kind, str) and kind.endswith("_call_output"):
        return _text(item.get("call_id"))
    return _text(item.get("tool_call_id"))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
