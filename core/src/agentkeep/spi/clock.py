"""The clock for databases without one (TTL-1). Tests pass another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the time as an aware UTC datetime."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def never_back(clock: Clock) -> Clock:
    """A clock that waits if `clock` goes back, so that a session that was seen as expired stays expired (TTL-1)."""
    latest = datetime.min.replace(tzinfo=UTC)

    def now() -> datetime:
        nonlocal latest
        latest = max(latest, clock())
        return latest

    return now
