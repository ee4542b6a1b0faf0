"""One table from the server's SQLSTATEs and the drivers' own failures to ours (ERR-1, ERR-2). Texts decide nothing."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from agentkeep.errors import (
    ConfigurationError,
    Corrupt,
    PersistenceError,
    Refused,
    SchemaMissing,
    SessionNotFound,
    Unavailable,
)
from agentkeep.spi.outcomes import counter_too_large, too_many_counters
from agentkeep.spi.resend import Cause

_BY_STATE: dict[str, type[ConfigurationError | SchemaMissing | Unavailable]] = {
    "08": Unavailable,  # the connection failed
    "25006": Unavailable,  # a replica, or the primary until it has failed over
    "28": ConfigurationError,  # wrong user or password
    "3D": ConfigurationError,  # no such database
    "3F": SchemaMissing,  # no such schema
    "40": Unavailable,  # rolled back because of another transaction
    "42703": SchemaMissing,  # no such column
    "42883": SchemaMissing,  # no such function
    "42P01": SchemaMissing,  # no such table
    "53": Unavailable,  # no room on the disk, no memory, too many connections
    "55": Unavailable,  # somebody holds what the call needs
    "57": Unavailable,  # the server is starting or stopping, or an operator ended the call
    "58": Unavailable,  # the server's operating system failed
    "XX": Unavailable,  # the server failed
}
"""By SQLSTATE or its class (https://www.postgresql.org/docs/current/errcodes-appendix.html). Others are `Refused`."""

_CORRUPT = ("XX001", "XX002")
_DUPLICATE = "23505"
_LACKS_RIGHT = "42501"

_CONNECTION_ENDED = ("08", "57P01", "57P02", "57P03", "57P05")
"""The connection has ended; whether the statement was committed before that is not known."""

_EXPIRED = "AK404"
"""Our own: the session expired during the call, and the whole call was rolled back."""

_CONTENTION = ("40001", "40P01", "40003")
"""Rolled back because of another transaction: the same call may succeed now."""
_DATA = "22"
"""Errors about a value. The server's sentence quotes the value."""


def sqlstate(error: BaseException) -> str | None:
    """The server's five letters; None if the error is not the server's. Both drivers have the same attribute."""
    return getattr(error, "sqlstate", None)


def ends_connection(error: BaseException) -> bool:
    """Whether the connection can't be used any more."""
    state = sqlstate(error)
    return not _is_conversion(error) if state is None else state.startswith(_CONNECTION_ENDED)


def cause_of(error: Exception) -> Cause:
    """For the resend policy."""
    if isinstance(error, UnicodeEncodeError):
        return Cause.REFUSED  # by the driver, which sent nothing
    if _is_conversion(error):
        return Cause.UNREADABLE
    if isinstance(error, TimeoutError):
        return Cause.TIMEOUT
    if ends_connection(error):
        return Cause.LOST
    return Cause.CONTENTION if sqlstate(error) in _CONTENTION else Cause.REFUSED


def _is_conversion(error: BaseException) -> bool:
    """Whether the driver itself could not turn a value into bytes, or the server's bytes into values."""
    # psycopg's class by its name, which PEP 249 defines: the driver may not be installed
    return sqlstate(error) is None and (isinstance(error, UnicodeError) or type(error).__name__ == "DataError")


def translated(error: BaseException, address: str) -> PersistenceError:
    """Our error for a driver's after which nothing was written. `address`: the database's URL without password."""
    state = sqlstate(error) or ""
    sentence = f"{address}: {_sentence(error)}"
    if state in _CORRUPT:
        return Corrupt(address, _sentence(error))
    if isinstance(error, UnicodeEncodeError):
        return ConfigurationError(
            f"{address}: the connection's client_encoding {error.encoding} can't hold this text, so nothing was sent: "
            "set client_encoding to utf8 in your engine's connect_args"
        )
    if not state:
        return Unavailable(sentence)
    return (_BY_STATE.get(state) or _BY_STATE.get(state[:2]) or Refused)(sentence)


@contextmanager
def found_expired(session_id: str) -> Generator[None]:
    """`SessionNotFound` if the server says that the session expired during the call (see `check_alive`)."""
    try:
        yield
    except Refused as error:
        if _state_of(error) == _EXPIRED:
            raise SessionNotFound(session_id) from error.__cause__
        raise


def is_duplicate(error: PersistenceError) -> bool:
    """Whether an id that should be new is stored."""
    return _state_of(error) == _DUPLICATE


def lacks_right(error: PersistenceError) -> bool:
    return _state_of(error) == _LACKS_RIGHT


def is_refusal(error: PersistenceError) -> bool:
    """Whether the server itself refused the statement: for the lack of a right, as a replica, for want of space."""
    return _state_of(error) is not None


def _state_of(error: PersistenceError) -> str | None:
    return None if error.__cause__ is None else sqlstate(error.__cause__)


def check_counters(outcome: str, counter: str | None, actual: int) -> None:
    """Raises the error that an outcome of the function `add_counters` means."""
    if outcome == "many_counters":
        raise too_many_counters(actual)
    if outcome == "large_counter":
        raise counter_too_large(counter or "", actual)


def _sentence(error: BaseException) -> str:
    """What happened, without stored content: never the server's DETAIL, which holds the values of keys (ERR-3)."""
    state = sqlstate(error)
    if state is None:
        if _is_conversion(error):
            return f"the answer can't be read ({type(error).__name__})"
        if isinstance(error, TimeoutError) and not str(error):
            return "no answer in time (options timeout, connect_timeout)"
        return str(error) or type(error).__name__
    if state.startswith(_DATA):
        return f"the server refused a value (SQLSTATE {state})"
    return f"{_primary(error) or type(error).__name__} (SQLSTATE {state})"


def _primary(error: BaseException | None) -> str | None:
    """The server's sentence; SQLAlchemy puts an error of its own around the driver's if connecting fails."""
    if error is None:
        return None
    diagnostics = getattr(error, "diag", None)
    primary = getattr(error, "message", None) if diagnostics is None else diagnostics.message_primary
    return primary or _primary(error.__cause__)
