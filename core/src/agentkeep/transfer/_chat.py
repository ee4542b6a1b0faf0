"""OpenAI's chat format: from its items to messages and back to equal items."""

from __future__ import annotations

from types import NoneType
from typing import Any, cast

from agentkeep.errors import InvalidInput
from agentkeep.models import Message, NewMessage

_FIELDS = ("name", "tool_calls", "tool_call_id")
_KINDS: dict[str, tuple[type[Any], ...]] = {
    "content": (str, list, NoneType),
    "name": (str,),
    "tool_calls": (list,),
    "tool_call_id": (str,),
}


def from_item(item: Any, *, id: str | None = None) -> NewMessage:
    """The message of an item. An item that the fields can't represent exactly is also kept in `event`.

    Raises `InvalidInput` for what is no chat message.
    """
    if not isinstance(item, dict):
        raise InvalidInput(f"a message is a {_kind(item)}: give an object with a role")
    given = cast("dict[str, Any]", item)
    role = given.get("role")
    if not isinstance(role, str):
        raise InvalidInput("a message has no role: give one such as user, assistant, tool or system")
    fitting = {name: given[name] for name, kind in _KINDS.items() if name in given and isinstance(given[name], kind)}
    exact = "content" in fitting and len(fitting) == len(given) - 1
    return NewMessage(role=role, id=id, event=None if exact else given, **fitting)


def to_item(message: Message) -> dict[str, Any]:
    """The chat item of a message: the kept one if the message was not changed since, else one made of the fields."""
    kept = message.event
    if isinstance(kept, dict) and _says_the_same(message, cast("dict[str, Any]", kept)):
        return cast("dict[str, Any]", kept)
    item: dict[str, Any] = {"role": message.role, "content": message.content}
    for name in _FIELDS:
        value = getattr(message, name)
        if value is not None:
            item[name] = value
    return item


def _says_the_same(message: Message, kept: dict[str, Any]) -> bool:
    """False for another framework's item, and for a message that was redacted after the import."""
    try:
        meant = from_item(kept)
    except InvalidInput:
        return False
    same_fields = all(getattr(meant, name) == getattr(message, name) for name in ("role", "content", *_FIELDS))
    return same_fields and meant.event is not None


def _kind(value: Any) -> str:
    names = {list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
    return "null" if value is None else names.get(cast("type[Any]", type(value)), "value")
