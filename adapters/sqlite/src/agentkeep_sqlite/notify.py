"""Who wakes watchers: this process's commits by themselves, other processes' commits if they are noticed (WATCH-1)."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from agentkeep.spi.notify import Key

from agentkeep_sqlite.client import Connection
from agentkeep_sqlite.statements import Statements

INTERVAL_SECONDS = 0.05
"""How soon watchers are woken for another process's commit."""


class OtherProcesses:
    """Finds the sessions to which other processes have appended, because SQLite sends no notifications.

    `PRAGMA data_version` changes when another connection has committed. It must run on the connection that writes, so
    that our own commits do not count. Keys of messages only grow, so new messages are those with a greater key.
    """

    def __init__(self, statements: Statements) -> None:
        self._sql = statements
        self._version: int | None = None
        self._newest = 0
        self._next_check = 0.0

    def is_due(self) -> bool:
        return monotonic() >= self._next_check

    def appended(self, db: Connection) -> list[Key]:
        """The sessions with messages that are new since the last call."""
        self._next_check = monotonic() + INTERVAL_SECONDS
        version = db.all("PRAGMA data_version")[0][0]
        is_changed = self._version not in (None, version)
        self._version = version
        seen = self._newest
        self._newest = db.all(self._sql["newest_key"])[0][0]
        return [(tenant, id) for tenant, id in db.all(self._sql["appended"], {"seen": seen})] if is_changed else []


class FileListener:
    """Hears other processes' commits through the writing thread, which checks for them while somebody watches."""

    def __init__(self, start_checking: Callable[[], None]) -> None:
        self._start_checking = start_checking
        self._is_started = False

    def hears(self, key: Key) -> bool:
        return self._is_started

    async def listen(self, key: Key) -> None:
        self._start_checking()
        self._is_started = True

    def forget(self, key: Key) -> None:
        """Nothing to do: the thread stops checking when nobody watches any session."""

    def stop(self) -> None:
        """Nothing to do, for the same reason."""


class EngineListener:
    """Hears nothing, so that watchers poll: the connections of an engine come and go."""

    def hears(self, key: Key) -> bool:
        return False

    async def listen(self, key: Key) -> None:
        """Nothing to do."""

    def forget(self, key: Key) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        """Nothing to do."""
