"""Rows to records, and values to the parameters of statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from agentkeep.records import MessageRecord, Scope, SessionChanges, SessionDraft, SessionRecord
from agentkeep.spi.decode import decode, session_name

from agentkeep_postgres.drivers import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TEXTS = ("title", "current_route", "current_step")
"""Free texts may hold NUL and PostgreSQL's text can't, so NUL is escaped. Ids refuse it, JSON has its own escape."""
_DURATIONS = ("ttl", "idle_ttl")

_encode = msgspec.json.Encoder().encode
_decode_counters = msgspec.json.Decoder(dict[str, int]).decode
_FIELDS = SessionRecord.__struct_fields__
_TEXT_FIELDS = [_FIELDS.index(name) for name in _TEXTS]
_COUNTERS = _FIELDS.index("counters")
_IDLE_TTL = _FIELDS.index("idle_ttl")


def session_record(row: Row) -> SessionRecord:
    """From the columns of `session_columns`, which are the record's fields in their order. Raises `Corrupt`."""
    return decode(row, _session_record, lambda row: session_name(row[0]))


def _session_record(row: Row) -> SessionRecord:
    values = list(row)
    for field in _TEXT_FIELDS:
        values[field] = unescaped(values[field])
    values[_COUNTERS] = _decode_counters(values[_COUNTERS])
    if values[_IDLE_TTL] is not None:
        values[_IDLE_TTL] *= _MICROSECOND
    return SessionRecord(**dict(zip(_FIELDS, values, strict=True)))


def message_record(row: Row) -> MessageRecord:
    """From a row whose first columns are `message_columns`."""
    return MessageRecord(id=row[0], seq=row[1], role=row[2], payload=row[3], created_at=row[4])


def message_records(arrays: Sequence[Sequence[str]] | Sequence[None]) -> list[MessageRecord]:
    """From arrays of ids, seqs, roles, payloads and times, which are null if there is no message."""
    filled = [array for array in arrays if array is not None]
    return [
        MessageRecord(id=id, seq=int(seq), role=role, payload=payload, created_at=from_micros(time))
        for id, seq, role, payload, time in zip(*filled, strict=True)
    ]


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


def changes_json(changes: SessionChanges | None) -> str | None:
    """The changed fields as a JSON object; its strings are data, `state` and `metadata` too."""
    return None if changes is None else _json(changes)


def draft_json(draft: SessionDraft | None) -> str | None:
    """The fields of a new session as a JSON object."""
    return None if draft is None else _json(msgspec.structs.asdict(draft))


def add_json(add: Mapping[str, int] | None) -> str | None:
    return _encode(add).decode() if add else None


def record_json(scope: Scope, record: SessionRecord, labels: Iterable[str]) -> str:
    """All columns of a session, and its labels, as a JSON object."""
    return _json({**msgspec.structs.asdict(record), "tenant": scope.tenant, "labels": tuple(labels)})


def _json(given: Mapping[str, Any]) -> str:
    fields = dict(given)
    fields |= {name: escaped(fields[name]) for name in _TEXTS if name in fields}
    fields |= {name: to_micros(fields[name]) for name in _DURATIONS if name in fields}
    return _encode(fields).decode()
