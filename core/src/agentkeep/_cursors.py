"""Opaque cursors: where a page ended, bound to the query and scope that it belongs to (READ-2)."""

from __future__ import annotations

import hashlib
from base64 import b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from agentkeep._validation import check_id
from agentkeep.errors import InvalidInput
from agentkeep.records import MAX_SEQ, Scope, SessionOrder, SessionPosition, SessionQuery

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND = timedelta(microseconds=1)
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
    """The cursor of the page behind `position`."""
    at = (position.at - _EPOCH) // _MICROSECOND
    return _pack([_digest("sessions", scope, query, order), at, position.id])


def session_position(cursor: str, scope: Scope, query: SessionQuery, order: SessionOrder) -> SessionPosition:
    """Raises `InvalidInput` for what is no cursor, or one of another query or scope."""
    parsed = _unpack(cursor, _SessionCursor)
    _same_query(parsed.query, _digest("sessions", scope, query, order))
    try:
        return SessionPosition(_EPOCH + parsed.at * _MICROSECOND, check_id(parsed.id, "a cursor's id"))
    except (OverflowError, InvalidInput) as error:
        raise InvalidInput("this is no cursor of Agentkeep's") from error


def message_cursor(scope: Scope, session_id: str, *, newest_first: bool, seq: int) -> str:
    """The cursor of the page behind `seq`."""
    return _pack([_digest("messages", scope, session_id, newest_first), seq])


def message_position(cursor: str, scope: Scope, session_id: str, *, newest_first: bool) -> int:
    """Raises `InvalidInput` for what is no cursor, or one of another session, scope or direction."""
    parsed = _unpack(cursor, _MessageCursor)
    _same_query(parsed.query, _digest("messages", scope, session_id, newest_first))
    if not 0 <= parsed.seq <= MAX_SEQ:
        raise InvalidInput("this is no cursor of Agentkeep's")
    return parsed.seq


def _digest(*parts: Any) -> str:
    return hashlib.blake2b(_encode(parts), digest_size=9).hexdigest()


def _same_query(found: str, wanted: str) -> None:
    if found != wanted:
        raise InvalidInput("this cursor belongs to another query or scope: go on with the arguments that it came from")


def _pack(fields: list[Any]) -> str:
    return urlsafe_b64encode(_encode(fields)).decode()


_Cursor = TypeVar("_Cursor", _SessionCursor, _MessageCursor)


def _unpack(cursor: object, kind: type[_Cursor]) -> _Cursor:
    if not isinstance(cursor, str):
        raise InvalidInput(f"a cursor is a string, not a {type(cursor).__name__}")
    try:
        return msgspec.json.decode(b64decode(cursor.encode(), altchars=b"-_", validate=True), type=kind)
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidInput(f"{cursor[:80]!r} is no cursor of Agentkeep's") from error
