"""A framework's own item in the `event` of a message: how it is stored, and how a message says whose item it is."""

from __future__ import annotations

import json
from typing import Any, cast

from agentkeep._codec import encode_json
from agentkeep.errors import InvalidInput
from agentkeep.models import Message, NewMessage

ITEM = "agentkeep:item"
"""The key of a message's metadata that names the framework whose item `event` is."""
_TEXT = "agentkeep:json"


def to_stored(value: Any) -> Any:
    """`value` as it is if Agentkeep can store it, else as JSON text in an object of one key.

    JSON text keeps NaN, infinities and lone surrogates. As in every JSON store, tuples become lists and keys become
    strings. Raises `TypeError` for what no JSON can say, such as bytes.
    """
    if not _is_marked(value):
        try:
            encode_json(value, "value")
        except InvalidInput:
            pass
        else:
            return value
    return {_TEXT: json.dumps(value)}


def from_stored(stored: Any) -> Any:
    """What `to_stored` was called with."""
    return json.loads(stored[_TEXT]) if _is_marked(stored) else stored


def _is_marked(value: Any) -> bool:
    return isinstance(value, dict) and cast("dict[Any, Any]", value).keys() == {_TEXT}


def framework_of(message: Message | NewMessage) -> str | None:
    """The framework whose item `event` is; None if the message has a `content`, or is of no framework."""
    name = message.metadata.get(ITEM) if message.content is None else None
    return name if isinstance(name, str) else None
