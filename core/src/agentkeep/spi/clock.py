"""The clock of adapters whose database has none of its own (TTL-1); tests hand in another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the time as an aware UTC datetime."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def never_back(clock: Clock) -> Clock:
    """A clock that stands still while `clock` goes back, so that what was seen as expired stays so (TTL-1)."""
    latest = datetime.min.replace(tzinfo=UTC)

    def now() -> datetime:
        nonlocal latest
        latest = max(latest, clock())
        return latest

    return now
