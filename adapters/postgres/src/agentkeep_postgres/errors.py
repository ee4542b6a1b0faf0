"""One table from the server's SQLSTATEs and the drivers' own failures to ours (ERR-1, ERR-2). Texts decide nothing."""

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
    """There was no connection, or it was known to be dead: nothing can have been written."""
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
"""By SQLSTATE or its class. Any other error of the server is `Unavailable`: the statement was rolled back."""

_CONNECTION_ENDED = ("08", "57P01", "57P02", "57P03", "57P05")
"""The connection has ended; whether the statement was committed before that is not known."""

EXPIRED = "AK404"
"""Our own: the session expired during `append`, and the whole call was rolled back."""

_CORRUPT = ("XX001", "XX002")
_CONTENTION = ("40001", "40P01", "40003")
"""Rolled back because of another transaction: the same call may succeed now."""


def sqlstate(error: BaseException) -> str | None:
    """The server's five letters; None if the error is not the server's. Both drivers have the same attribute."""
    return getattr(error, "sqlstate", None)


def ends_connection(error: BaseException) -> bool:
    """Whether the connection can't be used any more."""
    state = sqlstate(error)
    return not _is_conversion(error) if state is None else state.startswith(_CONNECTION_ENDED)


def _is_conversion(error: BaseException) -> bool:
    """Whether the driver itself could not turn a value into bytes, or the server's bytes into values."""
    # psycopg's class by its name, which PEP 249 defines: the driver may not be installed
    return sqlstate(error) is None and (isinstance(error, UnicodeError) or type(error).__name__ == "DataError")


def is_lost(error: BaseException) -> bool:
    """Whether another connection may succeed. A silent server is not asked twice: the caller has waited enough."""
    return ends_connection(error) and not isinstance(error, TimeoutError)


def is_contention(error: BaseException) -> bool:
    return sqlstate(error) in _CONTENTION


def translated(error: BaseException, sent: Sent, address: str) -> PersistenceError:
    """Our error for a driver's, with the driver's as `__cause__`. `address` is the database's URL without password."""
    mapped = _mapped(error, sent, address)
    mapped.__cause__ = error
    return mapped


def _mapped(error: BaseException, sent: Sent, address: str) -> PersistenceError:
    state = sqlstate(error)
    if state in _CORRUPT:
        return Corrupt(address, str(error))
    kind = _BY_STATE.get(state or "") or _BY_STATE.get((state or "")[:2])
    if kind is not None:
        return kind(f"{address}: {error}")
    if isinstance(error, UnicodeEncodeError):
        return ConfigurationError(f"{address}: nothing was sent, make the engine's client_encoding utf8: {error}")
    if sent is Sent.WRITE and _is_conversion(error):
        return OutcomeUnknown(f"{address}: perhaps written, but the answer can't be read: {_sentence(error)}")
    if sent is Sent.WRITE and ends_connection(error):
        return OutcomeUnknown(f"{address}: the connection was lost before the answer came: {_sentence(error)}")
    return Unavailable(f"{address}: {_sentence(error)}")


def _sentence(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time (options command_timeout, connect_timeout)"
    return str(error) or type(error).__name__
