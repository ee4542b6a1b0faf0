"""Redis's errors to ours, in one table (ERR-1, ERR-2). Codes and classes decide; the text of a message never does."""

from __future__ import annotations

import builtins
from ssl import SSLCertVerificationError

from agentkeep.errors import ConfigurationError, Corrupt, PersistenceError, Refused, Unavailable
from agentkeep.spi.resend import Cause
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    DataError,
    InvalidResponse,
    MasterDownError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

DRIVER_ERRORS = (RedisError, OSError)
"""All that the driver raises, if it is used in its own event loop."""

UNKNOWN_SCRIPT = NoScriptError

_TIMEOUTS = (TimeoutError, builtins.TimeoutError)
"""No answer came in time: the driver's error, and asyncio's."""

_REFUSALS = (BusyLoadingError, AuthenticationError, AuthorizationError)
"""The driver counts these as failed connections, but the server answered, and nothing ran."""


class DatabaseRefused(RedisError):
    """A new connection may not select the URL's database: the server has fewer of them, or belongs to a cluster."""


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
    "OOM": Unavailable,
    "READONLY": Unavailable,
    "MISCONF": Unavailable,
    "NOREPLICAS": Unavailable,
    "BUSY": Unavailable,
    "LOADING": Unavailable,
    "MASTERDOWN": Unavailable,
    "CLUSTERDOWN": Unavailable,
    "TRYAGAIN": Unavailable,
    "UNKILLABLE": Unavailable,
}
"""The first word of an error reply. Each of these means that the script did not begin, or stopped before it wrote.
Another code is a fault of ours, or a limit of the server: `Refused`."""

_PASSING = (OutOfMemoryError, ReadOnlyError, ClusterDownError, MasterDownError, MovedError, AskError, TryAgainError)
"""What redis-py makes of codes in the table above, and redirections that were followed in vain."""


def cause_of(error: Exception) -> Cause:
    """Why a sending failed, for the resend policy."""
    if isinstance(error, _TIMEOUTS):
        return Cause.TIMEOUT
    if isinstance(error, InvalidResponse):
        return Cause.UNREADABLE
    if isinstance(error, ConnectionError | OSError | RedisClusterException) and not isinstance(error, _REFUSALS):
        return Cause.LOST
    return Cause.REFUSED


def error_of(error: Exception, server: str, record: str = "") -> PersistenceError:
    """Our error for one after which nothing has run. `record`: what the call was about."""
    if isinstance(error, RuntimeError):  # asyncio's, for a connection of another event loop (LIFE-3)
        return ConfigurationError(f"{server}: {error}: a client belongs to one event loop; make one in each loop")
    kind = next((ours for theirs, ours in _CLASSES if isinstance(error, theirs)), None)
    if isinstance(root_of(error), SSLCertVerificationError):  # trying again will not help: see `ssl_ca_certs`
        kind = ConfigurationError
    if kind is None and isinstance(error, ResponseError) and not isinstance(error, _PASSING):
        kind = _CODES.get(_code_of(error), Refused)
    if isinstance(error, DataError):  # redis-py can't encode it; nothing was sent
        kind = Refused
    if kind is Corrupt:
        return Corrupt(record or server, str(error))
    return (kind or Unavailable)(f"{server}: {_text_of(error)}")


def root_of(error: BaseException) -> BaseException:
    """The first error in the chain that led to the driver's error."""
    below = error.__cause__ or error.__context__
    return error if below is None else root_of(below)


def _code_of(error: ResponseError) -> str:
    """The error reply's first word. redis-py has classes for some codes, and cuts the word off their messages."""
    return str(error).partition(" ")[0]


def _text_of(error: Exception) -> str:
    if isinstance(error, MasterNotFoundError):  # its own text names only its objects
        return "no Sentinel answers, or none knows a primary of this service"
    if isinstance(error, _TIMEOUTS) and not str(error):
        return "no answer in time (see the options timeout and connect_timeout)"
    return str(error) or type(error).__name__
