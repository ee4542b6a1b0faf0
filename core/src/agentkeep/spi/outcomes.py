"""What a verb results in, said once for all adapters: new messages, changed and forked sessions, conflicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from agentkeep.errors import AlreadyExists, Conflict, InvalidInput, LimitExceeded, SessionNotFound
from agentkeep.records import (
    MAX_COUNTERS,
    MAX_SEQ,
    Append,
    Fork,
    MessageDraft,
    MessageRecord,
    Scope,
    SessionChanges,
    SessionDraft,
    SessionRecord,
    expiry,
)


def new_message(draft: MessageDraft, seq: int, now: datetime) -> MessageRecord:
    """The record of a message that is appended now."""
    return MessageRecord(
        id=draft.id, seq=seq, role=draft.role, payload=draft.payload, created_at=draft.created_at or now
    )


def check_same_content(append: Append, content_keys: Sequence[str]) -> None:
    """Whether the call's messages that are stored are all of them, and the same (IDEM-1). Raises `Conflict`.

    `content_keys` are those of the stored messages, in the call's order.
    """
    if content_keys and len(content_keys) < len(append.messages):
        raise batch_conflict(len(content_keys), len(append.messages))
    for content_key, draft in zip(content_keys, append.messages, strict=False):
        if content_key != draft.content_key:
            raise message_id_conflict(draft.id)


def has_condition(append: Append) -> bool:
    """Whether a record that is sent again may fail or cut the log before a unique index meets its ids (IDEM-2).

    Without such an option the search for the ids may be left out: a duplicate key says that the record was sent before.
    """
    return (append.expected_version, append.expected_last_seq, append.truncate_after) != (None, None, None)


def changed_fields(record: SessionRecord, changes: SessionChanges, now: datetime) -> dict[str, Any]:
    """The fields of a record after an update at `now`, without `version` and `labels` (SES-2, SES-3, TTL-3).

    `now` is the moment that becomes `updated_at`.
    """
    fields: dict[str, Any] = {name: value for name, value in changes.items() if name in SessionRecord.__struct_fields__}
    if "status" in changes:
        fields["completed_at"] = (record.completed_at or now) if changes["status"] == "completed" else None
    if "ttl" in changes:
        ttl = changes["ttl"]
        fields["ends_at"] = None if ttl is None else now + ttl
    if "ttl" in changes or "idle_ttl" in changes:
        ends_at = fields.get("ends_at", record.ends_at)
        fields["expires_at"] = expiry(ends_at, fields.get("idle_ttl", record.idle_ttl), now)
    return fields


def added(counters: Mapping[str, int], add: Mapping[str, int]) -> dict[str, int]:
    """The counters after an addition. Raises `LimitExceeded`, before anything is stored (CNT-2)."""
    result = {**counters, **{name: counters.get(name, 0) + amount for name, amount in add.items()}}
    if len(result) > MAX_COUNTERS:
        raise too_many_counters(len(result))
    for name in add:
        if not -MAX_SEQ <= result[name] <= MAX_SEQ:
            raise counter_too_large(name, result[name])
    return result


def too_many_counters(actual: int) -> LimitExceeded:
    return LimitExceeded("counters of a session", limit=MAX_COUNTERS, actual=actual)


def counter_too_large(name: str, actual: int) -> LimitExceeded:
    return LimitExceeded(f"counter {name!r}", limit=MAX_SEQ, actual=actual)


def forked_session(
    parent: SessionRecord, fork: Fork, now: datetime, *, count: int, last_message_at: datetime | None
) -> SessionRecord:
    """The record of a copy that holds `count` messages (SES-5). Raises `InvalidInput`, as `forked_at` does."""
    at_seq = forked_at(fork, parent.last_seq)
    copy = msgspec.structs.replace(
        parent,
        id=fork.new_id,
        title=None,
        status="active",
        current_route=None,
        current_step=None,
        parent_id=fork.session_id,
        forked_at_seq=at_seq,
        version=fork.version,
        message_count=count,
        last_seq=at_seq,
        created_at=now,
        updated_at=now,
        last_message_at=last_message_at,
        completed_at=None,
        expires_at=expiry(parent.ends_at, parent.idle_ttl, now),
    )
    if fork.changes is None:
        return copy
    return msgspec.structs.replace(copy, **changed_fields(copy, fork.changes, now))


def forked_at(fork: Fork, last_seq: int) -> int:
    """The seq up to which a fork copies. Raises `InvalidInput` for one that was never given (SES-5)."""
    if fork.at_seq is None:
        return last_seq
    if fork.at_seq > last_seq:
        raise never_given(fork, last_seq)
    return fork.at_seq


def never_given(fork: Fork, last_seq: int) -> InvalidInput:
    """The seq up to which to copy was never given."""
    return InvalidInput(f"at_seq is {fork.at_seq}: the last seq of session {fork.session_id!r} is {last_seq}")


def check_owner(scope: Scope, draft: SessionDraft, user_id: str | None) -> None:
    """Whether `get_or_create` or an append with `create` may use the living session of `user_id` (ISO-1, ISO-4).

    Raises `AlreadyExists`.
    """
    if draft.user_id not in (None, user_id) or scope.user_id not in (None, user_id):
        raise AlreadyExists(draft.id)


def check_visible(scope: Scope, session_id: str, user_id: str | None) -> None:
    """Raises `SessionNotFound` for a session of `user_id` that the scope may not see (ISO-1)."""
    if scope.user_id not in (None, user_id):
        raise SessionNotFound(session_id)


def version_conflict(expected: int, actual: int) -> Conflict:
    return Conflict("version", "the session's version", expected=expected, actual=actual)


def last_seq_conflict(expected: int, actual: int) -> Conflict:
    return Conflict("last_seq", "the session's last seq", expected=expected, actual=actual)


def batch_conflict(stored: int, given: int) -> Conflict:
    """Of a batch only some ids are stored."""
    what = f"of the {given} message ids of this batch, {stored} are stored"
    return Conflict("batch", what, expected="all or none", actual=f"{stored}")


def message_id_conflict(message_id: str) -> Conflict:
    """The id is stored with another content key."""
    return Conflict(
        "message_id", f"message {message_id!r} is stored", expected="the same content", actual="other content"
    )
