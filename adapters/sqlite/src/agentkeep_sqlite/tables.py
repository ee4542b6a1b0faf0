"""The steps of a transaction that sessions, messages and the sweep share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from agentkeep.errors import SessionNotFound
from agentkeep.records import Scope, SessionChanges, SessionRecord, expiry
from agentkeep.spi.outcomes import added, changed_fields
from msgspec.structs import replace

from agentkeep_sqlite.client import Connection, Unsettled
from agentkeep_sqlite.rows import (
    decode_counters,
    encode_counters,
    from_micros,
    session_record,
    session_values,
)
from agentkeep_sqlite.statements import Statements

MAX_INTEGER = 2**63 - 1
REMOVED_AT_ONCE = 500
"""At most so many messages are removed in the transaction that removes their sessions. The others follow in steps of
that size, so that no other writer waits long (COST-3)."""

_DATA = frozenset({"title", "current_route", "current_step", "state", "metadata"})


class StoredSession(NamedTuple):
    """What a write needs to know of its session. Times and durations are microseconds."""

    key: int
    user_id: str | None
    version: int
    message_count: int
    last_seq: int
    label_count: int
    counters: str
    updated_at: int
    ends_at: int | None
    idle_ttl: int | None
    expires_at: int | None

    def moment(self, now: int) -> int:
        """What becomes `updated_at`, which never goes back."""
        return max(now, self.updated_at)

    def expiry(self, moment: int) -> int | None:
        """`records.expiry`, in microseconds."""
        if self.idle_ttl is None:
            return self.ends_at
        idle_end = moment + self.idle_ttl
        return idle_end if self.ends_at is None else min(self.ends_at, idle_end)


class LogChange(NamedTuple):
    """How a write changed a session's log. `last_message_at`: the time of the newest message, None if none is left."""

    added: int
    removed: int
    last_message_at: int | None


def label_digest(label: str) -> str:
    """What is stored of a label."""
    return blake2b(label.encode(), digest_size=16).hexdigest()


def lookup_values(scope: Scope, session_id: str, db: Connection) -> dict[str, Any]:
    """The values of every statement that looks a session up by its id."""
    return {"tenant": scope.tenant, "user_id": scope.user_id, "id": session_id, "now": db.now}


class Tables:
    """The tables of one prefix."""

    def __init__(self, statements: Statements) -> None:
        self.sql = statements
        self.search = False
        """Whether there is a search index to update. Known after `open`."""

    def load_any(self, db: Connection, scope: Scope, session_id: str) -> StoredSession | None:
        """The session of an id, whichever user's it is. None if it is absent or expired (TTL-1)."""
        row = db.one(self.sql["load_session"], {"tenant": scope.tenant, "id": session_id})
        if row is None:
            return None
        session = StoredSession(*row)
        if session.expires_at is None or session.expires_at > db.now:
            return session
        if session.expires_at > db.settled:
            raise Unsettled
        return None

    def load(self, db: Connection, scope: Scope, session_id: str) -> StoredSession:
        """Raises `SessionNotFound` for a session that is absent, expired or foreign (SES-4, TTL-1, ISO-1)."""
        session = self.load_any(db, scope, session_id)
        if session is None or scope.user_id not in (None, session.user_id):
            raise SessionNotFound(session_id)
        return session

    def not_found(self, db: Connection, scope: Scope, session_id: str) -> SessionNotFound:
        """The error for a read that found no row. Raises `Unsettled` if the session may still be there (TTL-1)."""
        session = self.load_any(db, scope, session_id)
        if session is not None and scope.user_id in (None, session.user_id):
            raise Unsettled  # a commit moved its expiry between our two statements
        return SessionNotFound(session_id)

    def check_settled(self, db: Connection) -> None:
        """For reads of many sessions. Raises `Unsettled` if one may have expired that a running write keeps (TTL-1)."""
        if db.now > db.settled and db.one(self.sql["has_unsettled"], {"settled": db.settled, "now": db.now}):
            raise Unsettled

    def record(self, db: Connection, key: int) -> SessionRecord:
        """The session of a key that this transaction has read."""
        row = db.one(self.sql["session_of_key"], {"key": key})
        assert row is not None  # noqa: S101 - the transaction has read it
        return session_record(row)

    def insert(
        self,
        db: Connection,
        tenant: str,
        record: SessionRecord,
        labels: tuple[str, ...] = (),
        *,
        copied_labels: int = 0,
    ) -> int:
        """Store a session as it is, without messages, and return its key.

        `copied_labels`: how many labels the caller copies from another session.
        """
        values = session_values(record) | {"tenant": tenant, "label_count": len(set(labels)) + copied_labels}
        values["key"] = key = db.all(self.sql["insert_session"], values)[0][0]
        db.run(self.sql["insert_data"], values)
        self._insert_labels(db, key, labels)
        return key

    def is_taken(self, db: Connection, scope: Scope, session_id: str) -> bool:
        """Whether a session that has not expired has the id. Removes an expired one (SES-4)."""
        row = db.one(self.sql["load_session"], {"tenant": scope.tenant, "id": session_id})
        if row is None:
            return False
        session = StoredSession(*row)
        if session.expires_at is None or session.expires_at > db.now:
            return True
        self.remove_sessions(db, [(session.key, session.message_count)])
        return False

    def update(
        self,
        db: Connection,
        session: StoredSession,
        changes: SessionChanges,
        *,
        add: Mapping[str, int] | None = None,
        log: LogChange | None = None,
    ) -> SessionRecord:
        """Set the named fields, add to counters, add 1 to the version, and note how the log changed.

        An update that changes the log slides the expiry (SES-2, SES-3, CNT-1, CNT-2, TTL-3).
        """
        stored = self.record(db, session.key)
        moment = from_micros(session.moment(db.now))
        fields = changed_fields(stored, changes, moment)
        if add is not None:
            fields["counters"] = added(stored.counters, add)
        if log is not None:
            fields |= {
                "message_count": stored.message_count + log.added - log.removed,
                "last_seq": stored.last_seq + log.added,
                "last_message_at": None if log.last_message_at is None else from_micros(log.last_message_at),
            }
        record = replace(stored, **fields, version=stored.version + 1, updated_at=moment)
        if log is not None:
            record = replace(record, expires_at=expiry(record.ends_at, record.idle_ttl, moment))
        self._save(db, session, record, changes)
        return record

    def _save(self, db: Connection, session: StoredSession, record: SessionRecord, changes: SessionChanges) -> None:
        labels = changes.get("labels")
        label_count = session.label_count if labels is None else len(set(labels))
        values = session_values(record) | {"key": session.key, "label_count": label_count}
        db.run(self.sql["update_session"], values)
        if not _DATA.isdisjoint(changes):
            db.run(self.sql["update_data"], values)
        if labels is not None:
            db.run(self.sql["delete_labels"], values)
            self._insert_labels(db, session.key, labels)
        elif label_count:
            db.run(self.sql["update_labels"], values)

    def update_log(
        self,
        db: Connection,
        session: StoredSession,
        log: LogChange,
        *,
        add: Mapping[str, int] | None = None,
        slides: bool = False,
    ) -> None:
        """Bring counts and times up to date after a change of the log without other changes (CNT-1, TTL-3)."""
        moment = session.moment(db.now)
        values = {
            "key": session.key,
            "message_count": session.message_count + log.added - log.removed,
            "last_seq": session.last_seq + log.added,
            "last_message_at": log.last_message_at,
            "counters": encode_counters(added(decode_counters(session.counters), add)) if add else session.counters,
            "updated_at": moment,
            "expires_at": session.expiry(moment) if slides else session.expires_at,
        }
        db.run(self.sql["update_log"], values)
        if session.label_count:
            db.run(self.sql["update_labels"], values)

    def newest_time(self, db: Connection, key: int, at_seq: int = MAX_INTEGER) -> int | None:
        """The time of the newest message, or of the newest up to `at_seq`."""
        row = db.one(self.sql["newest_time"], {"key": key, "at_seq": at_seq})
        return None if row is None else row[0]

    def _insert_labels(self, db: Connection, key: int, labels: tuple[str, ...]) -> None:
        for label in set(labels):
            db.run(self.sql["insert_label"], {"key": key, "label": label_digest(label)})

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

    def remove_sessions(self, db: Connection, sessions: Sequence[tuple[int, int]]) -> None:
        """Remove sessions, given as keys and message counts, with everything that belongs to them (SES-6).

        If they have many messages, those of some sessions remain for `remove_step`. No read can find them.
        """
        budget = REMOVED_AT_ONCE
        for key, message_count in sessions:
            for name in ("delete_labels", "delete_data", "delete_session"):
                db.run(self.sql[name], {"key": key})
            if message_count <= budget:
                budget -= message_count
                self.remove_messages(db, key)
            else:
                db.run(self.sql["add_removal"], {"key": key})
        if sessions:
            self.note_removed(db, len(sessions), unindexed=False)

    def remove_step(self, db: Connection) -> bool:
        """Remove some messages of sessions that were removed. Returns whether there may be more."""
        row = db.one(self.sql["next_removal"])
        if row is None:
            return False
        values = {"key": row[0], "step": REMOVED_AT_ONCE}
        remaining = db.one(self.sql["seq_after_step"], values)
        if remaining is None:
            self.remove_messages(db, row[0])
            db.run(self.sql["end_removal"], values)
        else:
            self.remove_messages(db, row[0], before=remaining[0])
        return True
