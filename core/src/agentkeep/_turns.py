"""Where tool exchanges begin and end, in the formats that agents use today (READ-4).

Known: OpenAI chat (`tool_calls[].id`, `tool_call_id`), OpenAI Responses items (`function_call`, `*_call_output` with
`call_id`, in `content` or `event`), Anthropic blocks (`tool_use.id`, `tool_result.tool_use_id`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from agentkeep.models import Message


class OpenExchange:
    """Finds how far back a tail must begin so that each tool result in it stands behind its call."""

    def __init__(self, tail: Iterable[Message]) -> None:
        called: set[str] = set()
        self.missing: set[str] = set()
        """Calls that are answered in the tail and not made in it."""
        self._skipped: set[str] = set()
        for message in tail:
            called |= calls_of(message)
            self.missing |= results_of(message) - called

    def reaches(self, earlier: Message) -> bool:
        """Walk one message further back; True if the tail must begin here at the latest."""
        self._skipped |= results_of(earlier)
        calls = calls_of(earlier)
        if self.missing.isdisjoint(calls):
            self._skipped -= calls
            return False
        self.missing = (self.missing | self._skipped) - calls
        self._skipped.clear()
        return True


def calls_of(message: Message) -> set[str]:
    """The ids of the tool calls that a message makes."""
    found: set[str] = set()
    for call in _objects(message.tool_calls):
        _add(found, call.get("id") or call.get("call_id"))
    for item in _items(message):
        kind = item.get("type")
        if kind == "tool_use":
            _add(found, item.get("id"))
        elif isinstance(kind, str) and kind.endswith("_call"):
            _add(found, item.get("call_id") or item.get("id"))
    return found


def results_of(message: Message) -> set[str]:
    """The ids of the tool calls that a message answers."""
    found: set[str] = set()
    _add(found, message.tool_call_id)
    for item in _items(message):
        kind = item.get("type")
        if kind == "tool_result":
            _add(found, item.get("tool_use_id"))
        elif isinstance(kind, str) and kind.endswith("_call_output"):
            _add(found, item.get("call_id"))
    return found


def _items(message: Message) -> Iterator[dict[str, Any]]:
    yield from _objects(message.content)
    yield from _objects([message.event])


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            if isinstance(item, dict):
                yield cast("dict[str, Any]", item)


def _add(found: set[str], value: Any) -> None:
    if isinstance(value, str):
        found.add(value)
