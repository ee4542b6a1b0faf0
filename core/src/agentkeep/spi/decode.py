"""Stored rows to records; a row that can't be read is `Corrupt` and is named (ERR-4).

    def message_record(row: Row) -> MessageRecord:              # may raise TypeError, ValueError, …
        return MessageRecord(id=row.id, seq=int(row.seq), ...)

    decode_all(rows, message_record, lambda row: message_name(session_id, row.id))
    decode(row, session_record, lambda row: session_name(row.id))

The name is made only if it is needed, so this costs no more than a list comprehension.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from agentkeep.errors import Corrupt

R = TypeVar("R")
T = TypeVar("T")

_UNREADABLE = (
    msgspec.MsgspecError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def decode(row: R, read: Callable[[R], T], name: Callable[[R], str]) -> T:
    """What `read` makes of a row. Raises `Corrupt` with its name."""
    try:
        return read(row)
    except _UNREADABLE as error:
        raise unreadable(name(row), error) from error


def decode_all(rows: Iterable[R], read: Callable[[R], T], name: Callable[[R], str]) -> list[T]:
    """What `read` makes of each row. Raises `Corrupt` with the name of the first that can't be read."""
    kept = list(rows)
    try:
        return [read(row) for row in kept]
    except _UNREADABLE:
        return [decode(row, read, name) for row in kept]  # finds it again, and names it


def unreadable(name: str, error: Exception) -> Corrupt:
    """The error for a record that can't be read. Its text has no stored content (ERR-3)."""
    # msgspec says which field and which type; Python's own messages quote the value
    why = str(error) if isinstance(error, msgspec.MsgspecError) else type(error).__name__
    return Corrupt(name, why)


def session_name(session_id: object) -> str:
    return f"session {session_id!r}"


def message_name(session_id: object, message_id: object) -> str:
    return f"message {message_id!r} of session {session_id!r}"
