"""What a floor stores of a session: the fields that Agentkeep reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from candidate import USER

FIELDS = (
    *("id", "user_id", "agent_name", "title", "status", "current_route", "current_step", "parent_id"),
    *("forked_at_seq", "version", "schema_version", "message_count", "last_seq", "idle_ttl"),
)
"""A session's fields that are read as they are stored."""
JSON_FIELDS = ("state", "metadata", "counters")
TIMES = ("created_at", "updated_at", "last_message_at", "completed_at", "ends_at", "expires_at")
COLUMNS = (*FIELDS, *JSON_FIELDS, *TIMES)


def whole(row: Sequence[Any]) -> list[Any]:
    """A session with its objects and times as a caller reads them, from its `COLUMNS`; times are microseconds."""
    plain, objects, times = row[:14], row[14:17], row[17:]
    read = [None if time is None else datetime.fromtimestamp(int(time) / 1e6, UTC) for time in times]
    return [*plain, *map(json.loads, objects), *read]


def new_session(session: str, now: object) -> dict[str, Any]:
    given = {"id": session, "user_id": USER, "status": "active", "version": 1, "message_count": 0, "last_seq": 0}
    return dict.fromkeys(COLUMNS) | given | dict.fromkeys(JSON_FIELDS, "{}") | {"created_at": now, "updated_at": now}
