"""Where a turn begins (READ-4).

A turn begins at a message of role `user`, or at the first of adjacent messages that share a `turn_id`. A message that
holds a tool's result never begins one, because its call comes before it: Anthropic puts results into user messages.

Results are known in these formats: OpenAI chat (`tool_call_id`), OpenAI Responses items (`*_call_output`, in `content`
or `event`), Anthropic blocks (`tool_result`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from agentkeep.models import Message


def whole_turns(newest_first: Sequence[Message], n: int, *, is_all: bool) -> int | None:
    """How many of these messages to keep so that the oldest kept one begins a turn; at least `n`.

    `is_all`: no message is older than these. None: older messages are needed to decide.
    """
    for kept in range(n, len(newest_first)):
        if begins_turn(newest_first[kept - 1], newest_first[kept]):
            return kept
    if is_all:
        return len(newest_first)
    return None


def begins_turn(message: Message, before: Message) -> bool:
    """Whether a message begins a turn; `before` is the one before it."""
    if _holds_result(message):
        return False
    if message.turn_id is not None:
        return message.turn_id != before.turn_id
    return message.role == "user"


def _holds_result(message: Message) -> bool:
    if message.tool_call_id is not None or message.role == "tool":
        return True
    return any(_is_result(item) for item in (*_items(message.content), *_items([message.event])))


def _items(value: Any) -> list[dict[str, Any]]:
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def _is_result(item: dict[str, Any]) -> bool:
    kind = item.get("type")
    return kind == "tool_result" or (isinstance(kind, str) and kind.endswith("_call_output"))
