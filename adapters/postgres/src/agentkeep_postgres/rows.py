"""Rows to records, and values to the parameters of statements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from agentkeep.records import MessageRecord, Scope, SessionChanges, SessionRecord
from agentkeep.spi.text import searchable_text

from agentkeep_postgres.drivers import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TEXTS = ("title", "current_route", "current_step")
"""Free texts may hold NUL and PostgreSQL's text can't, so NUL is escaped. Ids refuse it, JSON has its own escape."""

_encode = msgspec.json.Encoder().encode


def session_record(row: Row) -> SessionRecord:
    """From the columns of `session_columns`."""
    (
        id,
        user_id,
        agent_name,
        title,
        status,
        current_route,
        current_step,
        state,
        metadata,
        parent_id,
        forked_at_seq,
        version,
        schema_version,
        message_count,
        last_seq,
        created_at,
        updated_at,
        last_message_at,
        completed_at,
        expires_at,
    ) = row
    return SessionRecord(
        id=id,
        user_id=user_id,
        agent_name=agent_name,
        title=unescaped(title),
        status=status,
        current_route=unescaped(current_route),
        current_step=unescaped(current_step),
        state=state,
        metadata=metadata,
        parent_id=parent_id,
        forked_at_seq=forked_at_seq,
        version=version,
        schema_version=schema_version,
        message_count=message_count,
        last_seq=last_seq,
        created_at=created_at,
        updated_at=updated_at,
        last_message_at=last_message_at,
        completed_at=completed_at,
        expires_at=expires_at,
    )


def message_record(row: Row) -> MessageRecord:
    """From a row whose first columns are `message_columns`."""
    return MessageRecord(id=row[0], seq=row[1], role=row[2], payload=row[3], created_at=row[4])


def escaped(text: str | None) -> str | None:
    if text is None:
        return None
    return text.replace("\\", "\\\\").replace("\0", "\\0")


def unescaped(text: str | None) -> str | None:
    if text is None or "\\" not in text:
        return text
    return "\\".join(part.replace("\\0", "\0") for part in text.split("\\\\"))


def to_micros(duration: timedelta | None) -> int | None:
    """A duration as microseconds: the length of an interval's day depends on the connection's time zone."""
    return None if duration is None else duration // _MICROSECOND


def from_micros(text: str) -> datetime:
    """From microseconds since 1970."""
    return _EPOCH + int(text) * _MICROSECOND


def stored_labels(scope: Scope, labels: Sequence[str]) -> list[str]:
    """With the tenant in front, so that the index of labels never finds another tenant's."""
    return [f"{scope.tenant}\n{label}" for label in labels]


def changes_json(scope: Scope, changes: SessionChanges) -> str:
    """The changed columns as a JSON object; its strings are data, `state` and `metadata` too."""
    fields: dict[str, Any] = dict(changes)
    fields |= {name: escaped(fields[name]) for name in _TEXTS if name in fields}
    if "labels" in fields:
        fields["labels"] = stored_labels(scope, fields["labels"])
    return _encode(fields).decode()


def record_json(scope: Scope, record: SessionRecord, labels: Sequence[str]) -> str:
    """All columns of a session as a JSON object."""
    fields = msgspec.structs.asdict(record)
    fields |= {name: escaped(fields[name]) for name in _TEXTS}
    fields |= {"tenant": scope.tenant, "labels": stored_labels(scope, labels)}
    return _encode(fields).decode()


def search_text(payload: str) -> str | None:
    """The folded text that a search reads, without NUL, which PostgreSQL's text can't hold.

    None if the payload can't be decoded: it is stored as it is, and reading it raises `Corrupt` (ERR-4).
    """
    try:
        text = searchable_text(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return text.replace("\0", "").casefold() or None
