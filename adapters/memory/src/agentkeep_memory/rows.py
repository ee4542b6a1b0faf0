"""What is stored of a session and of a message. Records are frozen text, so no caller can change what is stored."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter

import msgspec
from agentkeep.records import MessageDraft, MessageRange, MessageRecord, SessionChanges, SessionRecord, expiry
from agentkeep.spi.outcomes import changed_fields

seq_of = attrgetter("seq")


class StoredMessage(MessageRecord, frozen=True, kw_only=True):
    """A message's record, and what only the adapter looks at."""

    content_key: str
    search_text: str
    version: int
    """The session's version as of the append that stored it."""


@dataclass(eq=False)
class Entry:
    """One session with its log, in order of seq."""

    record: SessionRecord
    labels: frozenset[str]
    log: list[StoredMessage] = field(default_factory=list[StoredMessage])
    by_id: dict[str, StoredMessage] = field(default_factory=dict[str, StoredMessage])

    def is_expired(self, now: datetime) -> bool:
        return self.record.expires_at is not None and self.record.expires_at <= now

    def copy(self) -> Entry:
        return replace(self, log=list(self.log), by_id=dict(self.by_id))

    def range(self, window: MessageRange) -> list[StoredMessage]:
        start = bisect_right(self.log, window.after, key=seq_of)
        end = len(self.log) if window.before is None else bisect_left(self.log, window.before, key=seq_of)
        if window.newest_first:
            return self.log[max(start, end - window.limit) : end][::-1]
        return self.log[start : min(end, start + window.limit)]

    def cut(self, start: int, end: int) -> list[StoredMessage]:
        """Remove messages by their positions in the log."""
        removed = self.log[start:end]
        del self.log[start:end]
        for message in removed:
            del self.by_id[message.id]
        return removed

    def add(self, messages: list[StoredMessage]) -> None:
        self.log += messages
        self.by_id |= {message.id: message for message in messages}

    def touch(self, now: datetime, changes: SessionChanges | None = None, *, slide: bool = False) -> None:
        """Bring the record up to date after a write: counts, times and the named fields (CNT-1, SES-2, TTL-3)."""
        record = self.record
        moment = max(now, record.updated_at)
        fields: dict[str, object] = {
            "updated_at": moment,
            "message_count": len(self.log),
            "last_message_at": self.log[-1].created_at if self.log else None,
            "last_seq": max(record.last_seq, self.log[-1].seq if self.log else 0),
        }
        if changes is not None:
            fields |= changed_fields(record, changes, moment)
            fields["version"] = record.version + 1
            self.labels = frozenset(changes["labels"]) if "labels" in changes else self.labels
        self.record = msgspec.structs.replace(record, **fields)
        if slide:
            expires_at = expiry(self.record.ends_at, self.record.idle_ttl, moment)
            self.record = msgspec.structs.replace(self.record, expires_at=expires_at)


def stored_message(draft: MessageDraft, *, seq: int, version: int, now: datetime) -> StoredMessage:
    return StoredMessage(
        id=draft.id,
        seq=seq,
        role=draft.role,
        payload=draft.payload,
        created_at=draft.created_at or now,
        content_key=draft.content_key,
        search_text=draft.search_text,
        version=version,
    )
