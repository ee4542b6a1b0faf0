"""What the analysed search filters and counts by, read from a payload of core's own; another text has no facts."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import Struct

_MOST_METADATA = 200
_LONGEST_VALUE = 512


class Facts(Struct, frozen=True):
    tools: list[str]
    """Names of the tools that a message calls, or whose result it is."""
    metadata: dict[str, str]
    """The scalars of the message's metadata, as text. Stored as one flat field, so no key can break a mapping."""


class _Payload(Struct, frozen=True):
    name: Any = None
    tool_calls: Any = None
    tool_call_id: Any = None
    metadata: Any = None


_decode = msgspec.json.Decoder(_Payload).decode


def facts_of(payload: str) -> Facts:
    """A wrapper may have put any text in the payload's place (WRAP-1)."""
    try:
        found = _decode(payload)
    except msgspec.MsgspecError:
        return Facts([], {})
    names = [_tool_name(call) for call in _items(found.tool_calls)]
    if found.tool_call_id is not None:
        names.append(found.name)
    tools = [name for name in names if isinstance(name, str) and 0 < len(name) <= _LONGEST_VALUE]
    return Facts(list(dict.fromkeys(tools)), _scalars(found.metadata))


def _items(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _tool_name(call: Any) -> Any:
    """As OpenAI's chat completions write it, or flat."""
    if not isinstance(call, dict):
        return None
    fields = cast("dict[str, Any]", call)
    function = fields.get("function")
    return cast("dict[str, Any]", function).get("name") if isinstance(function, dict) else fields.get("name")


def _scalars(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    pairs = cast("dict[str, Any]", value).items()
    texts = {key: text_of(item) for key, item in pairs if isinstance(item, str | int | float | bool)}
    short = {key: text for key, text in texts.items() if len(text) <= _LONGEST_VALUE}
    return dict(list(short.items())[:_MOST_METADATA])


def text_of(value: str | float | bool) -> str:
    """How a value stands in the index."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
