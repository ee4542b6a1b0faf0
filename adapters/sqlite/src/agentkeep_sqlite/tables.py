"""The steps of a write transaction that sessions, messages and the sweep share.

All of them run inside one write transaction, so what was read in it is still true when it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import NamedTuple

from agentkeep.errors import SessionNotFound
from agentkeep.records import MessageRecord, Scope, SessionChanges, SessionRecord
from agentkeep.spi.clock import Clock

from agentkeep_sqlite.client import Connection
from agentkeep_sqlite.rows import session_record, to_micros
from agentkeep_sqlite.statements import Statements

MAX_INTEGER = 2**63 - 1
_MICROSECOND = timedelta(microseconds=1)
_DATA = frozenset({"title", "current_route", "current_step", "state", "metadata"})


class StoredSession(NamedTuple):
    """What a write needs to know of its session. Times are microseconds."""

    key: int
    version: int
    message_count: int
    last_seq: int
    label_count: int
    last_message_at: int | None
    completed_at: int | None
    expires_at: int | None


def label_digest(label: str) -> str:
    """What is stored of a label."""
    return blake2b(label.encode(), digest_size=16).hexdigest()


class Tables:
    """The tables of one prefix."""

    def __init__(self, statements: Statements, clock: Clock) -> None:
        self.sql = statements
        self.search = False
        """Whether there is a search index to update. Known after `open`."""
        self._clock = clock

    def now(self) -> int:
        return to_micros(self._clock())

    def load(self, db: Connection, scope: Scope, session_id: str, now: int) -> StoredSession:
        """Raises `SessionNotFound` for a session that is absent, expired or foreign (SES-4, TTL-1, ISO-1)."""
        row = db.one(self.sql["load_session"], self.lookup_values(scope, session_id, now))
        if row is None:
            raise SessionNotFound(session_id)
        return StoredSession(*row)

    def lookup_values(self, scope: Scope, session_id: str, now: int) -> dict[str, object]:
        """The values of every statement that looks a session up by its id."""
        return {"tenant": scope.tenant, "user_id": scope.user_id, "id": session_id, "now": now}

    def record(self, db: Connection, key: int) -> SessionRecord:
        """The session of a key that this transaction has read."""
        row = db.one(self.sql["session_of_key"], {"key": key})
        assert row is not None  # noqa: S101 - the transaction has read it
        return session_record(row)

    def touch(self, db: Connection, session: StoredSession, now: int) -> None:
        """Set `updated_at`, which never goes back, and the labels' copies of it."""
        db.run(self.sql["set_updated_at"], {"key": session.key, "now": now})
        self.touch_labels(db, session, now)

    def touch_labels(self, db: Connection, session: StoredSession, now: int) -> None:
        if session.label_count:
            db.run(self.sql["set_labels_updated_at"], {"key": session.key, "now": now})

    def set_expiry(self, db: Connection, session: StoredSession, expires_at: int) -> None:
        db.run(self.sql["set_expires_at"], {"key": session.key, "expires_at": expires_at})

    def slide(self, db: Connection, session: StoredSession, now: int, idle_ttl: timedelta) -> None:
        """Move the expiry to now + `idle_ttl` unless that would shorten the session's life (TTL-1)."""
        self.set_expiry(db, session, max(session.expires_at or now, now + idle_ttl // _MICROSECOND))

    def change(self, db: Connection, session: StoredSession, now: int, changes: SessionChanges) -> None:
        """Set the named fields, `version` and `completed_at` (SES-2, SES-3). The caller sets `updated_at`."""
        stored = self.record(db, session.key)
        fields = {
            name: changes.get(name, getattr(stored, name))
            for name in SessionChanges.__annotations__
            if name != "labels"
        }
        completed_at = session.completed_at
        if "status" in changes:
            completed_at = (completed_at or now) if changes["status"] == "completed" else None
        db.run(self.sql["update_session"], {**fields, "completed_at": completed_at, "key": session.key})
        if not _DATA.isdisjoint(changes):
            db.run(self.sql["update_data"], {**fields, "key": session.key})
        if "labels" in changes:
            self._relabel(db, session.key, changes["labels"])

    def _relabel(self, db: Connection, key: int, labels: tuple[str, ...]) -> None:
        db.run(self.sql["delete_labels"], {"key": key})
        self.add_labels(db, key, labels)
        db.run(self.sql["set_label_count"], {"key": key, "label_count": len(set(labels))})

    def add_labels(self, db: Connection, key: int, labels: tuple[str, ...]) -> None:
        for label in set(labels):
            db.run(self.sql["insert_label"], {"key": key, "label": label_digest(label)})

    def insert_messages(self, db: Connection, key: int, messages: Sequence[MessageRecord]) -> None:
        if messages:
            rows = [(key, m.seq, m.id, m.role, to_micros(m.created_at), m.payload) for m in messages]
            db.many(self.sql["insert_message"], rows)

    def remove_messages(self, db: Connection, key: int, *, after: int = 0, before: int = MAX_INTEGER) -> int:
        """Remove the messages with `after` < seq < `before` and their search entries. Returns how many."""
        span = {"key": key, "after": after, "before": before}
        unindexed = db.run(self.sql["unindex"], span) if self.search else 0
        removed = db.run(self.sql["delete_messages"], span)
        if removed:
            self.note_removed(db, removed, unindexed=unindexed > 0)
        return removed

    def note_removed(self, db: Connection, removed: int, *, unindexed: bool) -> None:
        """Count removed texts, so that the next sweep cleans up what they left in the file."""
        db.run(self.sql["note_removed"], {"removed": removed, "unindexed": unindexed})

    def remove_session(self, db: Connection, key: int) -> None:
        """Remove a session and everything that belongs to it (SES-6)."""
        self.remove_messages(db, key)
        self.note_removed(db, 1, unindexed=False)
        for name in ("delete_labels", "delete_data", "delete_session"):
            db.run(self.sql[name], {"key": key})

    def count_log(
        self,
        db: Connection,
        session: StoredSession,
        now: int,
        *,
        removed: int,
        added: int = 0,
        newest: int | None = None,
    ) -> None:
        """Bring counters and times up to date after a change of the log (CNT-1).

        `newest`: the time of the newest message, if it is known. Otherwise it is looked up.
        """
        if newest is None:
            row = db.one(self.sql["newest_time"], {"key": session.key})
            newest = None if row is None else row[0]
        db.run(
            self.sql["count_log"],
            {
                "key": session.key,
                "message_count": session.message_count + added - removed,
                "last_seq": session.last_seq + added,
                "last_message_at": newest,
                "now": now,
            },
        )
        self.touch_labels(db, session, now)
