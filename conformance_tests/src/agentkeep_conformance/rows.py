"""What the model's sessions and messages are made of, and the small rules on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

from agentkeep import Conflict, LimitExceeded, NewMessage, PersistenceError

from agentkeep_conformance.agreement import Instant, Unknown, value_of

Row = dict[str, Any]
Position = tuple[Any, bytes]
"""Of a session in a listing: its sort key, then its id in bytes."""

MAX_COUNTERS = 64
MAX_COUNTER = 2**53 - 1
_EMPTY = (
    *("user_id", "agent_name", "title", "current_route", "current_step", "parent_id", "forked_at_seq"),
    *("schema_version", "last_message_at", "completed_at", "ends_at", "idle_ttl", "expires_at"),
)
_NOT_TEXT = {"type", "role", "id", "data", "signature", "encrypted_content"}


class OneOf(PersistenceError):
    """The call is wrong in several ways, and the contract does not say which error comes first."""

    def __init__(self, *errors: PersistenceError) -> None:
        super().__init__(repr(errors))
        self.errors = errors


class Held:
    """A session with its log."""

    def __init__(self, row: Row, log: list[Row]) -> None:
        self.row = row
        self.log = log
        self.expired = False
        """Set by a program that let it expire by the server's clock."""

    def is_expired(self, now: datetime | None) -> bool:
        ends = value_of(self.row["expires_at"])
        return self.expired or (now is not None and ends is not None and ends <= now)

    def counted(self) -> None:
        """Bring the counts in line with the log (CNT-1)."""
        self.row["message_count"] = len(self.log)
        self.row["last_message_at"] = self.log[-1]["created_at"] if self.log else None
        if self.log:
            self.row["last_seq"] = max(self.row["last_seq"], self.log[-1]["seq"])


def new_row() -> Row:
    """A session's fields before anything is known of it."""
    row: Row = dict.fromkeys(_EMPTY)
    return row | {"status": "active", "state": {}, "metadata": {}, "counters": {}, "message_count": 0, "last_seq": 0}


def message_row(session_id: str, seq: int, message: NewMessage, version: Any, now: Any) -> Row:
    """`_version`: the session's as of the append, which a repeated call returns (IDEM-1)."""
    row = {name: getattr(message, name) for name in NewMessage.__struct_fields__}
    row |= {"session_id": session_id, "seq": seq, "id": message.id or Unknown(), "_version": version}
    row["created_at"] = message.created_at or (now if isinstance(now, datetime) else Instant())
    return row


def stored_before(log: list[Row], messages: Sequence[NewMessage], stored: str) -> list[Row]:
    """The stored rows of a call's messages (IDEM-1, IDEM-3). Raises `Conflict`."""
    by_id = {value_of(row["id"]): row for row in log}
    found = [by_id[message.id] for message in messages if message.id in by_id]
    if stored == "skip" or not found:
        return found
    if len(found) < len(messages):
        raise Conflict("batch", "part of a batch", expected="all or none", actual="some")
    for row, message in zip(found, messages, strict=True):
        content = {name: getattr(message, name) for name in NewMessage.__struct_fields__}
        if any(repr(content[name]) != repr(row[name]) for name in content if name not in ("id", "created_at")):
            raise Conflict("message_id", "content", expected="the same", actual="other")
    return found


def expect(kind: Any, expected: int | None, actual: Any) -> None:
    if expected not in (None, value_of(actual)):
        raise Conflict(kind, "stale", expected=expected, actual=value_of(actual))


def added(counters: dict[str, int], add: dict[str, int]) -> dict[str, int]:
    """The counters after an addition (CNT-2). Raises `LimitExceeded`."""
    result = counters | {name: counters.get(name, 0) + amount for name, amount in add.items()}
    if len(result) > MAX_COUNTERS:
        raise LimitExceeded("counters", limit=MAX_COUNTERS, actual=len(result))
    for name in add:
        if abs(result[name]) > MAX_COUNTER:
            raise LimitExceeded("a counter", limit=MAX_COUNTER, actual=result[name])
    return result


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
    """1 and 1.0 are one number, and True is not a number."""
    return _kind(stored) is _kind(wanted) and stored == wanted


def _kind(value: object) -> type:
    return float if type(value) is int else type(value)


def begins_turn(log: list[Row], index: int) -> bool:
    """Whether a turn begins at this message (READ-4)."""
    row = log[index]
    if index == 0:
        return True
    if row["tool_call_id"] is not None or row["role"] == "tool" or _has_result(row["content"]):
        return False
    if row["turn_id"] is not None:
        return row["turn_id"] != log[index - 1]["turn_id"]
    return row["role"] == "user"


def _has_result(content: Any) -> bool:
    """As Anthropic puts results into messages of the user."""
    parts = cast("list[Row]", content) if isinstance(content, list) else []
    return any(part["type"] == "tool_result" for part in parts)


def tail_of(log: list[Row], n: int, *, whole_turns: bool) -> list[Row]:
    """The newest `n`, and with `whole_turns` what is missing of the oldest one's turn."""
    start = max(0, len(log) - n)
    while whole_turns and 0 < start < len(log) and not begins_turn(log, start):
        start -= 1
    return log[start:]


def text_of(message: Row) -> str:
    """What a search looks at: the strings of `content`, or of `event` if that is None (SRCH-1)."""
    value = message["event"] if message["content"] is None else message["content"]
    return "\n".join(_strings(value)).casefold().replace("\0", " ")


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        kept = [item for key, item in value.items() if key not in _NOT_TEXT and not key.endswith("_id")]  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        return [text for item in kept for text in _strings(item)]  # pyright: ignore[reportUnknownVariableType]
    return []
