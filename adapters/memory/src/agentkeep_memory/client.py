"""The database: one entry a session, in a dictionary. Every access holds `lock`, so that threads may share it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime

from agentkeep.errors import AlreadyExists, SessionNotFound
from agentkeep.records import Scope
from agentkeep.spi.clock import Clock, never_back
from agentkeep.spi.notify import Notifier

from agentkeep_memory.notify import Notifiers
from agentkeep_memory.rows import Entry


class Database:
    """All that one memory database holds."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.entries: dict[tuple[str, str], Entry] = {}
        self.notifiers = Notifiers()


class Client:
    """One adapter's access to a database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.lock = database.lock
        self.notifier = Notifier()
        self.now = never_back(clock)

    def open(self) -> None:
        self.database.notifiers.open(self.notifier)

    def close(self) -> None:
        self.database.notifiers.close(self.notifier)

    def notify(self, scope: Scope, session_id: str) -> None:
        """Wake who watches a session, through whichever adapter."""
        self.database.notifiers.notify((scope.tenant, session_id))

    def find(self, scope: Scope, session_id: str, now: datetime) -> Entry:
        """Raises `SessionNotFound` for a session that is absent, expired or foreign (SES-4, TTL-1, ISO-1)."""
        entry = self.find_any(scope, session_id, now)
        if entry is None or scope.user_id not in (None, entry.record.user_id):
            raise SessionNotFound(session_id)
        return entry

    def find_any(self, scope: Scope, session_id: str, now: datetime) -> Entry | None:
        """The living session of that id, whichever user's it is."""
        entry = self.database.entries.get((scope.tenant, session_id))
        return None if entry is None or entry.is_expired(now) else entry

    def check_free(self, scope: Scope, session_id: str, now: datetime) -> None:
        """Raises `AlreadyExists` if there is a living session of that id."""
        if self.find_any(scope, session_id, now) is not None:
            raise AlreadyExists(session_id)

    def visible(self, scope: Scope, now: datetime) -> Iterator[Entry]:
        """The living sessions that a scope sees."""
        for (tenant, _), entry in self.database.entries.items():
            if tenant == scope.tenant and scope.user_id in (None, entry.record.user_id) and not entry.is_expired(now):
                yield entry

    def put(self, scope: Scope, entry: Entry) -> None:
        """Store a new session in the place of an expired one, or of none."""
        self.database.entries[scope.tenant, entry.record.id] = entry
        self.notify(scope, entry.record.id)

    def remove(self, tenant: str, session_id: str) -> None:
        del self.database.entries[tenant, session_id]
        self.notify(Scope(tenant), session_id)


_named: dict[str, Database] = {}


def named_database(name: str) -> Database:
    """The database of `memory://name`: one for all that ask for that name in this process."""
    return _named.setdefault(name, Database()) if name else Database()
