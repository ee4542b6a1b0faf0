"""Rows to records (ERR-4). Columns have the names of the records' fields."""

from __future__ import annotations

from agentkeep.records import MessageRecord, SessionRecord

from agentkeep_NAME.client import Row


def session_record(row: Row) -> SessionRecord:
    """May raise what `agentkeep.spi.decode` turns into `Corrupt`."""
    return SessionRecord(**{name: row[name] for name in SessionRecord.__struct_fields__})


def message_record(row: Row) -> MessageRecord:
    return MessageRecord(**{name: row[name] for name in MessageRecord.__struct_fields__})
