"""The driver's errors, in one table: by class or code, never by message text (ERR-1, ERR-2)."""

from __future__ import annotations

from agentkeep.errors import ConfigurationError, PersistenceError, Refused, Unavailable
from agentkeep.spi.resend import Cause

_TABLE: tuple[tuple[type[Exception], Cause, type[PersistenceError]], ...] = (
    (PermissionError, Cause.REFUSED, ConfigurationError),
    (TimeoutError, Cause.TIMEOUT, Unavailable),
    (ConnectionError, Cause.LOST, Unavailable),
)
"""The driver's error, why the sending failed, and our error if nothing was written. The first that fits counts."""


def cause(error: Exception) -> Cause:
    return next((cause for theirs, cause, _ in _TABLE if isinstance(error, theirs)), Cause.REFUSED)


def translate(error: Exception) -> PersistenceError:
    """Our error for one after which nothing was written. `Refused`: the same call will fail again.

    The text has the server's code and sentence, and no stored content (ERR-3).
    """
    ours = next((ours for theirs, _, ours in _TABLE if isinstance(error, theirs)), Refused)
    return ours(f"NAME: {type(error).__name__}")
