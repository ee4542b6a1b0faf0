"""The clock of adapters whose database has none of its own (TTL-1); tests hand in another."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the time as an aware UTC datetime."""


def utc_now() -> datetime:
    return datetime.now(UTC)
