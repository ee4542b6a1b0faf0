"""The messages of one append, and what must hold before it lands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from agentkeep.errors import SessionNotFound
from agentkeep.records import Append, MessageDraft, MessageRecord, Scope, SessionRecord, new_session
from agentkeep.spi.outcomes import (
    added,
    batch_conflict,
    changed_fields,
    check_owner,
    check_visible,
    last_seq_conflict,
    message_id_conflict,
    new_message,
    version_conflict,
)
from bson import Int64, ObjectId

from agentkeep_mongo.concerns import Document
from agentkeep_mongo.documents import micros, time_of
from agentkeep_mongo.state import State, Stored


class Batch(NamedTuple):
    """New messages, as they will stand in a session's document; or only their id, if they went ahead."""

    drafts: Sequence[MessageDraft]
    entries: list[Document] | ObjectId
    size: int
    drawn: str | None = None
    """The first id, if core drew all of them; of several appends the greatest first id."""

    @property
    def staged(self) -> ObjectId | None:
        return self.entries if isinstance(self.entries, ObjectId) else None

    @property
    def stored(self) -> Document:
        """Its fields in a session's document that do not depend on the session. In an expression they are literals."""
        if isinstance(self.entries, ObjectId):
            return {"staged": self.entries}
        return {"messages": self.entries} | ({} if self.drawn is None else {"drawn": self.drawn})

    def times(self, moment: int) -> list[int]:
        return [moment if each.created_at is None else int(micros(each.created_at) or 0) for each in self.drafts]


def drawn_id(append: Append) -> str | None:
    """The first id of an append, if core drew its ids: those begin with the time, so later ones are greater."""
    return append.messages[0].id if append.messages and not append.may_be_stored else None


def is_plain(append: Append) -> bool:
    """Whether it only adds messages."""
    others = (append.changes, append.add, append.truncate_after, append.keep_last)
    return all(each is None for each in others)


def owner_filter(scope: Scope, append: Append) -> Document:
    """The session is one that the call may use without a look (ISO-1, ISO-4)."""
    users = {scope.user_id, None if append.create is None else append.create.user_id} - {None}
    return {"user_id": {"$in": list(users)}} if users else {}


def living_session(scope: Scope, append: Append, state: State | None) -> State | None:
    """The session to append to, if there is one alive (SES-4, SES-7, ISO-4)."""
    if state is None or not state.is_alive:
        if append.create is None:
            raise SessionNotFound(append.session_id)
        return None
    if append.create is not None:
        check_owner(scope, append.create, state.record.user_id)
    check_visible(scope, append.session_id, state.record.user_id)
    return state


def stored_already(state: State, append: Append) -> list[Stored]:
    """The call's messages that the session holds (IDEM-1, IDEM-3). Raises `Conflict`."""
    stored = state.stored()
    if append.stored == "skip":
        return stored
    if stored and len(stored) < len(append.messages):
        raise batch_conflict(len(stored), len(append.messages))
    keys = {each.id: each.key for each in stored}
    for draft in append.messages:
        if draft.id in keys and keys[draft.id] != draft.content_key:
            raise message_id_conflict(draft.id)
    return stored


def check_expected(append: Append, state: State | None) -> None:
    version, last_seq = (0, 0) if state is None else (state.record.version, state.record.last_seq)
    if append.expected_version not in (None, version):
        raise version_conflict(append.expected_version or 0, version)
    if append.expected_last_seq not in (None, last_seq):
        raise last_seq_conflict(append.expected_last_seq or 0, last_seq)


def new_session_with(append: Append, batch: Batch, moment: datetime) -> tuple[SessionRecord, Sequence[str]]:
    """The session that an append makes, and its labels."""
    assert append.create is not None  # noqa: S101 - `living_session` raised otherwise
    record = new_session(append.create, moment)
    labels: Sequence[str] = append.create.labels
    if append.changes is not None:
        changes = changed_fields(record, append.changes, record.created_at)
        labels = append.changes.get("labels", labels)
        record = msgspec.structs.replace(record, **changes, version=record.version + 1)
    if append.add is not None:
        record = msgspec.structs.replace(record, counters=added({}, append.add))
    count = len(batch.drafts)
    kept = count if append.keep_last is None else min(count, append.keep_last)
    last_at = (batch.drafts[-1].created_at or moment) if kept else None
    return msgspec.structs.replace(record, last_seq=count, message_count=kept, last_message_at=last_at), labels


def first_batch(batch: Batch, kept: int, version: int, moment: int) -> Document:
    """The fields of a new session's document that hold its messages."""
    count = len(batch.drafts)
    fields: Document = {"last": Int64(count), "version": Int64(version), "at": Int64(moment), "bytes": batch.size}
    if batch.staged is not None:
        return {"batches": [{"first": Int64(1), **fields, "staged": batch.staged}], "unsettled": 1}
    stored = batch.stored
    stored["messages"] = stored["messages"][-kept:]
    first = {"first": Int64(count - kept + 1), **fields, **stored}
    return {"batches": [first], "pending": kept, "pending_bytes": batch.size}


def message_records(batch: Batch, last_seq: int, moment: int) -> list[MessageRecord]:
    now = time_of(moment)
    return [new_message(draft, seq, now) for seq, draft in enumerate(batch.drafts, last_seq + 1)]
