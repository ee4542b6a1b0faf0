"""The driver's errors, turned into Agentkeep's in one place (ERR-1, ERR-2): by code or class, never by message text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agentkeep.errors import OutcomeUnknown, PersistenceError, Unavailable

TABLE: dict[type[Exception], type[PersistenceError]] = {
    ConnectionRefusedError: Unavailable,  # nothing was sent, so nothing was written
    ConnectionResetError: OutcomeUnknown,  # the request may have arrived
}
"""Driver error to ours. `Unavailable` only where it is sure that nothing was written."""


@contextmanager
def translated() -> Iterator[None]:
    """Put around each call of the driver. The driver's own error stays as `__cause__`."""
    try:
        yield
    except tuple(TABLE) as error:
        kind = next(ours for theirs, ours in TABLE.items() if isinstance(error, theirs))
        raise kind(f"NAME: {type(error).__name__}") from error
