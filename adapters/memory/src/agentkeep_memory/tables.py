"""The data: one entry a session, its log a list in order of seq. Records are frozen text, so nothing can be aliased."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from agentkeep.errors import SessionNotFound
from agentkeep.records import MessageRecord, Scope, SessionChanges, SessionQuery, SessionRecord

from agentkeep_memory.notify import Notifiers

_CONDITIONS: tuple[Callable[[SessionRecord, SessionQuery], bool], ...] = (
    lambda record, query: query.user_id is None or record.user_id == query.user_id,
    lambda record, query: query.agent_name is None or record.agent_name == query.agent_name,
    lambda record, query: query.status is None or record.status == query.status,
    lambda record, query: query.parent_id is None or record.parent_id == query.parent_id,
    lambda record, query: query.updated_after is None or record.updated_at > query.updated_after,
    lambda record, query: query.updated_before is None or record.updated_at < query.updated_before,
)


@dataclass(eq=False)
class Entry:
    """One session with its log."""

    record: SessionRecord
    labels: frozenset[str]
    log: list[MessageRecord] = field(default_factory=list[MessageRecord])
    by_id: dict[str, MessageRecord] = field(default_factory=dict[str, MessageRecord])


class Tables:
    """All that one memory database holds. Every access holds `lock`, so threads may share it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.entries: dict[tuple[str, str], Entry] = {}
        self.notifiers = Notifiers()

    def living(self, scope: Scope, session_id: str, now: datetime) -> Entry:
        """Raises `SessionNotFound` for a session that is absent, expired or foreign (SES-4, TTL-1, ISO-1)."""
        entry = self.entries.get((scope.tenant, session_id))
        if entry is None or is_expired(entry, now) or scope.user_id not in (None, entry.record.user_id):
            raise SessionNotFound(session_id)
        return entry

    def matching(self, scope: Scope, query: SessionQuery, now: datetime) -> Iterator[Entry]:
        for (tenant, _), entry in self.entries.items():
            record = entry.record
            if (
                tenant == scope.tenant
                and scope.user_id in (None, record.user_id)
                and not is_expired(entry, now)
                and entry.labels.issuperset(query.labels)
                and all(holds(record, query) for holds in _CONDITIONS)
            ):
                yield entry


def is_expired(entry: Entry, now: datetime) -> bool:
    return entry.record.expires_at is not None and entry.record.expires_at <= now


def changed(entry: Entry, now: datetime, changes: SessionChanges | None) -> None:
    """Bring the record up to date after a write: counters from the log, times, and the named fields (CNT-1, SES-2)."""
    record = entry.record
    fields: dict[str, object] = {
        "updated_at": max(now, record.updated_at),
        "message_count": len(entry.log),
        "last_message_at": entry.log[-1].created_at if entry.log else None,
    }
    if entry.log:
        fields["last_seq"] = max(record.last_seq, entry.log[-1].seq)
    if changes is not None:
        fields |= {name: value for name, value in changes.items() if name != "labels"}
        fields["version"] = record.version + 1
        if "labels" in changes:
            entry.labels = frozenset(changes["labels"])
        if "status" in changes:
            done = changes["status"] == "completed"
            fields["completed_at"] = (record.completed_at or now) if done else None
    entry.record = msgspec.structs.replace(record, **fields)


def slide(entry: Entry, now: datetime, idle_ttl: timedelta | None) -> None:
    """TTL-1: activity never shortens a life."""
    if idle_ttl is not None:
        expires_at = max(entry.record.expires_at or now, now + idle_ttl)
        entry.record = msgspec.structs.replace(entry.record, expires_at=expires_at)


_named: dict[str, Tables] = {}


def named_tables(name: str) -> Tables:
    """The tables of `memory://name`: one for all that ask for that name in this process."""
    return _named.setdefault(name, Tables()) if name else Tables()
