"""Redis's errors to ours, in one table (ERR-1, ERR-2). Texts of messages decide nothing; error codes and classes do."""

from __future__ import annotations

import builtins
from ssl import SSLCertVerificationError

from agentkeep.errors import ConfigurationError, Corrupt, OutcomeUnknown, PersistenceError, Unavailable
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    RedisError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

TIMEOUTS = (TimeoutError, builtins.TimeoutError)
"""No answer came in time: the driver's, and asyncio's."""

REDIRECTS = (MovedError, AskError, TryAgainError)
"""Another node is to be asked; nothing ran."""

UNKNOWN_SCRIPT = NoScriptError

ANSWERED = (BusyLoadingError, AuthenticationError, AuthorizationError)
"""The driver counts these as failed connections; the server answered, and nothing ran."""


class DatabaseRefused(RedisError):
    """A new connection may not select the URL's database: the server has fewer of them, or is one of a cluster."""


_CLASSES: tuple[tuple[type[Exception], type[PersistenceError]], ...] = (
    (AuthenticationError, ConfigurationError),
    (AuthorizationError, ConfigurationError),
    (NoPermissionError, ConfigurationError),
    (DatabaseRefused, ConfigurationError),
    (BusyLoadingError, Unavailable),
)
"""The server answered and did nothing. The first that fits."""

_CODES: dict[str, type[PersistenceError]] = {
    "WRONGTYPE": Corrupt,
    "CORRUPT": Corrupt,
    "WRONGPASS": ConfigurationError,
    "NOAUTH": ConfigurationError,
    "NOPERM": ConfigurationError,
}
"""The first word of an error reply. Any other (OOM, READONLY, CLUSTERDOWN, MASTERDOWN, LOADING, MISCONF, NOREPLICAS,
BUSY, ERR) means that the script did not begin or stopped before its first write: `Unavailable`."""


def refused(error: Exception, place: str, record: str = "") -> PersistenceError:
    """Our error for one after which nothing has run. `place`: the server; `record`: what the call was about."""
    kind = next((ours for theirs, ours in _CLASSES if isinstance(error, theirs)), None)
    if isinstance(root_of(error), SSLCertVerificationError):  # trying again is in vain: see `ssl_ca_certs`
        kind = ConfigurationError
    if kind is None and isinstance(error, ResponseError):
        kind = _CODES.get(code_of(error))
    return Corrupt(record or place, str(error)) if kind is Corrupt else _made(kind or Unavailable, error, place)


def root_of(error: BaseException) -> BaseException:
    """What the driver's error began with."""
    below = error.__cause__ or error.__context__
    return error if below is None else root_of(below)


def lost(error: Exception, place: str) -> PersistenceError:
    """Our error for a connection that failed when a write may have run."""
    return _made(OutcomeUnknown, error, place)


def code_of(error: ResponseError) -> str:
    """The error reply's first word. redis-py gives classes to some codes and takes the word away from those."""
    return str(error).partition(" ")[0]


def _made(kind: type[PersistenceError], error: Exception, place: str) -> PersistenceError:
    return kind(f"{place}: {_said(error)}")


def _said(error: Exception) -> str:
    if isinstance(error, MasterNotFoundError):  # its own text is of its objects
        return "no Sentinel answers, or none knows a primary of this service"
    if isinstance(error, TIMEOUTS) and not str(error):
        return "no answer in time (options timeout, connect_timeout)"
    return str(error) or type(error).__name__


DRIVER_ERRORS = (RedisError, OSError)
"""All that the driver raises."""
