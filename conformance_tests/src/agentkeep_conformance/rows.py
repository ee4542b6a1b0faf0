"""What the model's sessions and messages are made of, and the small rules on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agentkeep import Conflict, NewMessage

from agentkeep_conformance.agreement import Instant, Unknown, value_of

Row = dict[str, Any]
Position = tuple[Any, bytes]
"""Of a session in a listing: its sort key, then its id in bytes."""

_EMPTY = (
    *("user_id", "agent_name", "title", "current_route", "current_step", "parent_id", "forked_at_seq"),
    *("schema_version", "last_message_at", "completed_at", "expires_at"),
)


class Held:
    """A session with its log."""

    def __init__(self, row: Row, log: list[Row]) -> None:
        self.row = row
        self.log = log

    def written(self) -> None:
        """The log has changed: bring the counters in line (CNT-1)."""
        self.row["updated_at"] = Instant(self.row["updated_at"])
        self.row["message_count"] = len(self.log)
        self.row["last_message_at"] = self.log[-1]["created_at"] if self.log else None
        if self.log:
            self.row["last_seq"] = max(self.row["last_seq"], self.log[-1]["seq"])


def new_row() -> Row:
    """A session's fields before anything is known of it."""
    row: Row = dict.fromkeys(_EMPTY)
    return row | {"status": "active", "state": {}, "metadata": {}, "version": 1, "message_count": 0, "last_seq": 0}


def message_row(session_id: str, seq: int, message: NewMessage) -> Row:
    row = {name: getattr(message, name) for name in NewMessage.__struct_fields__}
    row |= {"session_id": session_id, "seq": seq, "id": message.id or Unknown()}
    row["created_at"] = message.created_at or Instant()
    return row


def stored_before(held: Held, messages: Sequence[NewMessage]) -> list[Row]:
    """IDEM-1: the stored rows if all ids are stored with the same content. Raises `Conflict`."""
    stored = {value_of(row["id"]): row for row in held.log}
    found = [stored[message.id] for message in messages if message.id in stored]
    if found and len(found) < len(messages):
        raise Conflict("part of a batch", expected="all or none", actual="some")
    for row, message in zip(found, messages, strict=False):
        content = {name: getattr(message, name) for name in NewMessage.__struct_fields__}
        if any(repr(content[name]) != repr(row[name]) for name in content if name not in ("id", "created_at")):
            raise Conflict("content", expected="the same", actual="other")
    return found


def expect(expected: int | None, actual: int) -> None:
    if expected not in (None, actual):
        raise Conflict("stale", expected=expected, actual=actual)


def page_of(rows: list[Row], limit: int) -> Row:
    """The first `limit` rows, as the fields of a `Page`."""
    has_more = len(rows) > limit
    return {"items": rows[:limit], "next_cursor": Unknown() if has_more else None, "has_more": has_more}


def position_by(order: str) -> Callable[[Row], Position]:
    """What a listing is sorted by, ties by the id's bytes."""
    field = order.removeprefix("-")
    return lambda row: (value_of(row[field]), row["id"].encode())


def is_behind(position: Position, other: Position, order: str) -> bool:
    return position < other if order.startswith("-") else position > other


def matches(row: Row, filters: Row) -> bool:
    """All given conditions hold; both time bounds are excluded."""
    for name, wanted in filters.items():
        if wanted is None:
            continue
        if name == "metadata":
            found = all(key in row["metadata"] and _same(row["metadata"][key], wanted[key]) for key in wanted)
        elif name == "updated_after":
            found = value_of(row["updated_at"]) > wanted
        elif name == "updated_before":
            found = value_of(row["updated_at"]) < wanted
        else:
            found = row[name] == wanted
        if not found:
            return False
    return True


def _same(stored: Any, wanted: Any) -> bool:
    """1 and 1.0 are one number, True is none."""
    return _kind(stored) is _kind(wanted) and stored == wanted


def _kind(value: object) -> type:
    return float if type(value) is int else type(value)


def text_of(message: Row) -> str:
    return message["content"].casefold() if isinstance(message["content"], str) else ""
