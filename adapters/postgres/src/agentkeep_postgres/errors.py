"""The server's SQLSTATEs and the drivers' own failures to ours, in one table (ERR-1, ERR-2). Texts decide nothing."""

from __future__ import annotations

from enum import Enum

from agentkeep.errors import (
    ConfigurationError,
    Corrupt,
    OutcomeUnknown,
    PersistenceError,
    SchemaMissing,
    Unavailable,
)


class Sent(Enum):
    """How far a statement had come when it failed."""

    NO = "no"
    """No connection was had, or it was known to be dead: nothing can have been written."""
    READ = "read"
    """It was sent, and only reads."""
    WRITE = "write"
    """It was sent, and writes."""


_BY_STATE: dict[str, type[ConfigurationError | SchemaMissing | Unavailable]] = {
    "28": ConfigurationError,  # wrong user or password
    "3D": ConfigurationError,  # no such database
    "42501": ConfigurationError,  # the role lacks a right
    "3F": SchemaMissing,  # no such schema
    "42P01": SchemaMissing,  # no such table
    "42883": SchemaMissing,  # no such function
    "42703": SchemaMissing,  # no such column
}
"""By SQLSTATE or its class. Any other refusal of the server is `Unavailable`: the statement was rolled back."""

_BREAKS = ("08", "57P01", "57P02", "57P03", "57P05")
"""The connection is over; whether the statement committed before that is not known."""

EXPIRED = "AK404"
"""Our own: the session expired while `append` worked on it, and all of the call was rolled back."""

_CORRUPT = ("XX001", "XX002")
_AGAIN = ("40001", "40P01", "40003")
"""Rolled back because of another transaction: the same call may succeed now."""


def sqlstate(error: BaseException) -> str | None:
    """The server's five letters; None where the server did not answer. Both drivers name it alike."""
    return getattr(error, "sqlstate", None)


def is_break(error: BaseException) -> bool:
    """Whether the connection can't be used any more."""
    state = sqlstate(error)
    return not _is_conversion(error) if state is None else state.startswith(_BREAKS)


def _is_conversion(error: BaseException) -> bool:
    """Whether the driver itself could not put a value into bytes, or an answer into values."""
    # psycopg's class by its name, which PEP 249 gives: the driver may not be installed
    return sqlstate(error) is None and (isinstance(error, UnicodeError) or type(error).__name__ == "DataError")


def is_loss(error: BaseException) -> bool:
    """Whether another connection may do better. A silent server is not asked twice: the caller has waited enough."""
    return is_break(error) and not isinstance(error, TimeoutError)


def is_contention(error: BaseException) -> bool:
    return sqlstate(error) in _AGAIN


def translated(error: BaseException, sent: Sent, place: str) -> PersistenceError:
    """Our error for a driver's, with the driver's as `__cause__`. `place` names the database, without its password."""
    mapped = _mapped(error, sent, place)
    mapped.__cause__ = error
    return mapped


def _mapped(error: BaseException, sent: Sent, place: str) -> PersistenceError:
    state = sqlstate(error)
    if state in _CORRUPT:
        return Corrupt(place, str(error))
    kind = _BY_STATE.get(state or "") or _BY_STATE.get((state or "")[:2])
    if kind is not None:
        return kind(f"{place}: {error}")
    if isinstance(error, UnicodeEncodeError):
        return ConfigurationError(f"{place}: nothing was sent, make the engine's client_encoding utf8: {error}")
    if sent is Sent.WRITE and _is_conversion(error):
        return OutcomeUnknown(f"{place}: written perhaps, but the answer can't be read: {_said(error)}")
    if sent is Sent.WRITE and is_break(error):
        return OutcomeUnknown(f"{place}: the connection was lost before the answer came: {_said(error)}")
    return Unavailable(f"{place}: {_said(error)}")


def _said(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time (options command_timeout, connect_timeout)"
    return str(error) or type(error).__name__
