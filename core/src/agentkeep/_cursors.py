"""Opaque cursors: the end of a page, valid for the same query and scope alone (READ-2)."""

from __future__ import annotations

import hashlib
from base64 import b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from agentkeep._validation import check_id
from agentkeep.errors import InvalidInput
from agentkeep.records import MAX_SEQ, MessageRange, Scope, SessionOrder, SessionPosition, SessionQuery

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND = timedelta(microseconds=1)
_INVALID = "the cursor is invalid: give the `next_cursor` of a page, unchanged"
_OTHER = "the cursor belongs to another query or scope: repeat the arguments of the call that returned it"
_encode = msgspec.json.Encoder().encode


class _SessionCursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    query: str
    at: int
    """Microseconds since 1970."""
    id: str


class _MessageCursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    query: str
    seq: int


def session_cursor(scope: Scope, query: SessionQuery, order: SessionOrder, position: SessionPosition) -> str:
    """The cursor of the page after `position`."""
    at = (position.at - _EPOCH) // _MICROSECOND
    return _pack([_digest("sessions", scope, query, order), at, position.id])


def session_position(cursor: str, scope: Scope, query: SessionQuery, order: SessionOrder) -> SessionPosition:
    """Raises `InvalidInput` for an invalid cursor, or one of another query or scope."""
    parsed = _unpack(cursor, _SessionCursor)
    _same_query(parsed.query, _digest("sessions", scope, query, order))
    try:
        return SessionPosition(_EPOCH + parsed.at * _MICROSECOND, check_id(parsed.id, "a cursor's id"))
    except (OverflowError, InvalidInput) as error:
        raise InvalidInput(_INVALID) from error


def message_cursor(scope: Scope, session_id: str, window: MessageRange, seq: int) -> str:
    """The cursor of the page after `seq`, in the direction of `window`."""
    return _pack([_window_digest(scope, session_id, window), seq])


def message_position(cursor: str, scope: Scope, session_id: str, window: MessageRange) -> int:
    """Raises `InvalidInput` for an invalid cursor, or one of another session, scope, direction or bounds."""
    parsed = _unpack(cursor, _MessageCursor)
    _same_query(parsed.query, _window_digest(scope, session_id, window))
    if not 0 <= parsed.seq <= MAX_SEQ:
        raise InvalidInput(_INVALID)
    return parsed.seq


def _window_digest(scope: Scope, session_id: str, window: MessageRange) -> str:
    return _digest("messages", scope, session_id, window.after, window.before, window.newest_first)


def _digest(*parts: Any) -> str:
    return hashlib.blake2b(_encode(parts), digest_size=9).hexdigest()


def _same_query(found: str, wanted: str) -> None:
    if found != wanted:
        raise InvalidInput(_OTHER)


def _pack(fields: list[Any]) -> str:
    return urlsafe_b64encode(_encode(fields)).decode()


_Cursor = TypeVar("_Cursor", _SessionCursor, _MessageCursor)


def _unpack(cursor: object, kind: type[_Cursor]) -> _Cursor:
    if not isinstance(cursor, str):
        raise InvalidInput(f"a cursor is of type {type(cursor).__name__}: give the `next_cursor` of a page")
    try:
        return msgspec.json.decode(b64decode(cursor.encode(), altchars=b"-_", validate=True), type=kind)
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidInput(f"{_INVALID}: {cursor[:80]!r}") from error
