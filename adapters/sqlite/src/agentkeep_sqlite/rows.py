"""Rows to records and back: times as microseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from agentkeep.errors import Corrupt
from agentkeep.records import MessageRecord, SessionRecord
from msgspec.structs import asdict

from agentkeep_sqlite.client import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return _EPOCH + timedelta(0, 0, micros)  # positional: keyword arguments take twice as long


def _optional_time(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def session_record(row: Row) -> SessionRecord:
    """A record from the columns of `select_records`. Raises `Corrupt` (ERR-4)."""
    try:
        return SessionRecord(
            id=_text(row[0]),
            user_id=_optional_text(row[1]),
            agent_name=_optional_text(row[2]),
            title=_optional_text(row[3]),
            status=row[4],
            current_route=_optional_text(row[5]),
            current_step=_optional_text(row[6]),
            state=_text(row[7]),
            metadata=_text(row[8]),
            parent_id=_optional_text(row[9]),
            forked_at_seq=row[10],
            version=row[11],
            schema_version=row[12],
            message_count=row[13],
            last_seq=row[14],
            created_at=from_micros(row[15]),
            updated_at=from_micros(row[16]),
            last_message_at=_optional_time(row[17]),
            completed_at=_optional_time(row[18]),
            expires_at=_optional_time(row[19]),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise Corrupt(f"session {row[0]!r}", str(error)) from error


def session_values(record: SessionRecord) -> dict[str, object]:
    """The values of `insert_session` and `insert_data` for a record."""
    values = asdict(record)
    return {name: to_micros(value) if isinstance(value, datetime) else value for name, value in values.items()}


def message_record(row: Row) -> MessageRecord:
    """A record from id, seq, role, payload, created_at. Raises `Corrupt` (ERR-4)."""
    try:
        return MessageRecord(
            id=_text(row[0]), seq=row[1], role=_text(row[2]), payload=_text(row[3]), created_at=from_micros(row[4])
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise Corrupt(f"message {row[0]!r}", str(error)) from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} is stored, but text is expected")
    return value


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)
