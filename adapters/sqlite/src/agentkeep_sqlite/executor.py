"""Where transactions run: on threads of our own (`threads.py`), or through the caller's engine (`pooled.py`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol, TypeVar

from agentkeep_sqlite.bell import Bell
from agentkeep_sqlite.connection import Work

T = TypeVar("T")


class Executor(Protocol):
    """Runs work in transactions. Between calls none is open and no lock is held (FLT-4)."""

    bell: Bell
    """Rings after each commit that may have changed something."""
    poll: timedelta
    """How long a watcher waits for the bell before it looks for itself."""

    warnings: tuple[str, ...]
    """What `health` says of this way of running."""

    async def open(self) -> None:
        """Connect. Raises `ConfigurationError`, `Unavailable`."""
        ...

    async def read(self, work: Work[T]) -> T:
        """Run one statement that reads, or a few that need not see the same moment. Raises `Closed`."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one write transaction and return when it is committed; if it raises, nothing of it is kept.

        Cancelled, it is done wholly or not at all (FLT-3). Raises `Closed`, `Unavailable`, `OutcomeUnknown`.
        """
        ...

    def look_out(self) -> None:
        """Ring the bell for other processes' commits too where that can be noticed, as long as somebody listens."""
        ...

    async def rewrite(self) -> bool:
        """Write the database anew without its unused bytes; False where that is not for us or not possible now."""
        ...

    async def checkpoint(self) -> None:
        """Move the write-ahead log into the database and empty it, unless a reader is in the way."""
        ...

    async def close(self) -> None:
        """Finish what was accepted, then close what we opened (LIFE-2)."""
        ...
