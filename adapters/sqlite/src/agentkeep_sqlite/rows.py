"""Rows to records and back. Times and durations are stored in microseconds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from agentkeep.records import MessageDraft, MessageRecord, RestoredMessage, SessionRecord
from agentkeep.spi.decode import decode, decode_all, message_name, session_name
from agentkeep.spi.outcomes import new_message
from msgspec.structs import asdict

from agentkeep_sqlite.client import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(0, 0, 1)

_decode_counters = msgspec.json.Decoder(dict[str, int]).decode
_encode = msgspec.json.Encoder().encode


def to_micros(value: datetime | timedelta) -> int:
    """A time since 1970, or a duration."""
    return (value if isinstance(value, timedelta) else value - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return _EPOCH + _MICROSECOND * micros  # exact, and cheaper than a duration made from an integer


def session_record(row: Row) -> SessionRecord:
    """A record from `session_columns`. Raises `Corrupt` (ERR-4)."""
    return decode(row, _session_record, lambda row: session_name(row[0]))


def session_records(rows: Iterable[Row]) -> list[SessionRecord]:
    return decode_all(rows, _session_record, lambda row: session_name(row[0]))


def _session_record(row: Row) -> SessionRecord:
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
        counters=decode_counters(row[9]),
        parent_id=_optional_text(row[10]),
        forked_at_seq=row[11],
        version=row[12],
        schema_version=row[13],
        message_count=row[14],
        last_seq=row[15],
        created_at=from_micros(row[16]),
        updated_at=from_micros(row[17]),
        last_message_at=optional_time(row[18]),
        completed_at=optional_time(row[19]),
        ends_at=optional_time(row[20]),
        idle_ttl=None if row[21] is None else _MICROSECOND * row[21],
        expires_at=optional_time(row[22]),
    )


def session_values(record: SessionRecord) -> dict[str, Any]:
    """The values of a record for `insert_session`, `insert_data` and the updates."""
    values = asdict(record)
    for name, value in values.items():
        if isinstance(value, datetime | timedelta):
            values[name] = to_micros(value)
    values["counters"] = encode_counters(values["counters"])
    return values


def decode_counters(stored: str) -> dict[str, int]:
    return {} if stored == "{}" else _decode_counters(stored)


def encode_counters(counters: dict[str, int]) -> str:
    return _encode(counters).decode()


def message_record(session_id: str, row: Row) -> MessageRecord:
    """A record from `message_columns`. Raises `Corrupt` (ERR-4)."""
    return decode(row, _message_record, lambda row: message_name(session_id, row[0]))


def message_records(session_id: str, rows: Iterable[Row]) -> list[MessageRecord]:
    return decode_all(rows, _message_record, lambda row: message_name(session_id, row[0]))


def _message_record(row: Row) -> MessageRecord:
    return MessageRecord(
        id=_text(row[0]), seq=row[1], role=_text(row[2]), payload=_text(row[3]), created_at=from_micros(row[4])
    )


def message_values(session: int, version: int, message: MessageRecord, draft: MessageDraft) -> tuple[Any, ...]:
    """The values of `insert_message`."""
    return (
        session,
        message.seq,
        message.id,
        message.role,
        to_micros(message.created_at),
        version,
        draft.content_key,
        message.payload,
        draft.search_text,
    )


def restored_values(session: int, version: int, draft: RestoredMessage) -> tuple[Any, ...]:
    """The values of `insert_message` for a message as it once was."""
    return message_values(session, version, new_message(draft, draft.seq, _EPOCH), draft)


def optional_time(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} is stored, but text is expected")
    return value


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)
