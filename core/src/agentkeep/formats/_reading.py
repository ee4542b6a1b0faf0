"""What a format reads from an item, and the item's rest, from which the item can be made again.

The rest is the item with a null at each place from which a field was taken. Such a place is a hole:

    [["content", 0, "text"], ["content"]]                   the field's value belongs at this path of the item
    [["content", 1, "input"], ["tool_calls", 0, "function", "arguments"], "json"]      the value of that JSON text
"""

from __future__ import annotations

from typing import Any, TypedDict, cast

import msgspec

from agentkeep._codec import encode_json
from agentkeep.models import Message, NewMessage

Item = dict[str, Any]
"""A message in a vendor's or framework's format."""
Path = list[str | int]

_FIELDS = ("role", "content", "name", "tool_calls", "tool_call_id")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Kept(TypedDict):
    """The `event` of a message whose fields do not say all of its item."""

    type: str
    """The format's name."""
    item: Item
    holes: list[list[Any]]


class Reading:
    """An item, the fields that were found in it, and where."""

    def __init__(self, item: Item, role: str) -> None:
        self.item = item
        self.role = role
        self.content: str | list[Any] | None = None
        self.name: str | None = None
        self.tool_calls: list[Any] | None = None
        self.tool_call_id: str | None = None
        self._holes: list[list[Any]] = []

    def take(self, path: Path, field: Path) -> None:
        """The item's value at `path` is the value of this field; so it is not kept twice."""
        self._holes.append([path, field])

    def take_json(self, path: Path, field: Path) -> None:
        """The item's value at `path` is the value of the JSON text in this field."""
        self._holes.append([path, field, "json"])

    def add_part(self, part: Any) -> Path:
        """Add a part to `content`, and return the part's path as a field."""
        parts = self.content if isinstance(self.content, list) else []
        parts.append(part)
        self.content = parts
        return ["content", len(parts) - 1]

    def add_call(self, id: str, name: str, arguments: str) -> Path:
        """Add a tool call, and return its path as a field."""
        calls = self.tool_calls if self.tool_calls is not None else []
        calls.append({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
        self.tool_calls = calls
        return ["tool_calls", len(calls) - 1]

    def message(self) -> NewMessage:
        """Without an `event`."""
        return NewMessage(
            role=self.role,
            content=self.content,
            name=self.name,
            tool_calls=self.tool_calls,
            tool_call_id=self.tool_call_id,
        )

    def says_the_same(self, message: Message | NewMessage) -> bool:
        """Whether a message has the fields that were read."""
        return all(getattr(self, name) == getattr(message, name) for name in _FIELDS)

    def kept(self, format: str) -> Kept:
        """What `event` has to hold so that the item can be made again."""
        rest = self.item
        for path, *_ in self._holes:
            rest = replaced(rest, path, None)
        return {"type": format, "item": rest, "holes": self._holes}


def refilled(kept: Kept, message: Message | NewMessage) -> Item:
    """The item of a message that was read with `Reading`: its rest, and the fields' values as they are now."""
    item = kept["item"]
    for path, field, *kind in kept["holes"]:
        value = _at(message, field)
        if kind and isinstance(value, str):
            value = from_json(value)
        item = replaced(item, path, value)
    return item


def is_kept(event: Any, format: str) -> bool:
    """Whether this is the `event` of an item of this format."""
    match event:
        case {"type": found, "item": dict(), "holes": list()}:
            return found == format
        case _:
            return False


def replaced(value: Any, path: Path, new: Any) -> Any:
    """A copy with another value at this path, or the value itself if it has no such path."""
    if not path:
        return new
    head, *rest = path
    if isinstance(value, dict) and isinstance(head, str):
        found = cast("dict[str, Any]", value)
        return {**found, head: replaced(found.get(head), rest, new)}
    if isinstance(value, list) and isinstance(head, int) and 0 <= head < len(cast("list[Any]", value)):
        items = cast("list[Any]", value)
        return [*items[:head], replaced(items[head], rest, new), *items[head + 1 :]]
    return cast("Any", value)


def _at(message: Message | NewMessage, path: Path) -> Any:
    """The value at a path of the message's fields; None if it has been removed since."""
    head, *rest = path
    value: Any = getattr(message, str(head))
    for step in rest:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def as_json(value: Any) -> str:
    """Raises `InvalidInput` for what JSON can't say, NaN for example."""
    return encode_json(value, "a message").decode()


def from_json(text: str) -> Any:
    """The value of a JSON text; what is no JSON is itself the value."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return text


def is_same(one: Item, other: Item) -> bool:
    """Whether two items are equal as JSON: `1` is other than `1.0` and `true`. The order of the item's keys is free."""
    return one.keys() == other.keys() and all(_encode(one[key]) == _encode(other[key]) for key in one)
