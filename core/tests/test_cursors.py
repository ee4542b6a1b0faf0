"""READ-2: a cursor continues its own query, and is refused everywhere else."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime

import pytest
from agentkeep import InvalidInput
from agentkeep._cursors import message_cursor, message_position, session_cursor, session_position
from agentkeep.records import MessageRange, Scope, SessionOrder, SessionPosition, SessionQuery
from msgspec.structs import replace

SCOPE = Scope("acme", "u1")
QUERY = SessionQuery(status="active", labels=("a", "b"))
ORDER = SessionOrder("updated_at", descending=True)
POSITION = SessionPosition(datetime(2026, 3, 1, 12, 0, 0, 123456, UTC), "séance/1")


def test_read_2_a_position_round_trips_to_the_microsecond() -> None:
    cursor = session_cursor(SCOPE, QUERY, ORDER, POSITION)
    assert session_position(cursor, SCOPE, QUERY, ORDER) == POSITION


def test_read_2_times_before_1970_round_trip() -> None:
    early = SessionPosition(datetime(1, 1, 1, 0, 0, 0, 1, UTC), "s")
    assert session_position(session_cursor(SCOPE, QUERY, ORDER, early), SCOPE, QUERY, ORDER) == early


@pytest.mark.parametrize(
    ("scope", "query", "order"),
    [
        (Scope("other", "u1"), QUERY, ORDER),
        (Scope("acme", None), QUERY, ORDER),
        (SCOPE, SessionQuery(status="active"), ORDER),
        (SCOPE, QUERY, SessionOrder("updated_at", descending=False)),
        (SCOPE, QUERY, SessionOrder("created_at", descending=True)),
    ],
    ids=["tenant", "user", "filters", "direction", "field"],
)
def test_read_2_another_query_refuses_it(scope: Scope, query: SessionQuery, order: SessionOrder) -> None:
    cursor = session_cursor(SCOPE, QUERY, ORDER, POSITION)
    with pytest.raises(InvalidInput, match="another query"):
        session_position(cursor, scope, query, order)


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "not a cursor", "é", "AAAA", "!" + session_cursor(SCOPE, QUERY, ORDER, POSITION), None, 5],
    ids=str,
)
def test_read_2_what_is_no_cursor_is_refused(cursor: object) -> None:
    with pytest.raises(InvalidInput):
        session_position(cursor, SCOPE, QUERY, ORDER)  # type: ignore[arg-type]


@pytest.mark.parametrize(("field", "value"), [(1, 10**18), (2, "a\0b"), (2, ""), (2, "x" * 100_000)], ids=repr)
def test_read_2_a_forged_position_is_refused(field: int, value: object) -> None:
    fields = json.loads(urlsafe_b64decode(session_cursor(SCOPE, QUERY, ORDER, POSITION)))
    fields[field] = value
    forged = urlsafe_b64encode(json.dumps(fields).encode()).decode()
    with pytest.raises(InvalidInput, match="cursor is invalid"):
        session_position(forged, SCOPE, QUERY, ORDER)


def test_read_2_message_cursors_are_of_one_session_direction_and_bounds() -> None:
    window = MessageRange(after=3, before=90, limit=10)
    cursor = message_cursor(SCOPE, "s1", window, 41)
    assert message_position(cursor, SCOPE, "s1", window) == 41
    assert message_position(cursor, SCOPE, "s1", replace(window, limit=20)) == 41
    for scope, session, other in [
        (SCOPE, "s2", window),
        (SCOPE, "s1", replace(window, newest_first=True)),
        (SCOPE, "s1", replace(window, after=4)),
        (SCOPE, "s1", replace(window, before=None)),
        (Scope("other"), "s1", window),
    ]:
        with pytest.raises(InvalidInput, match="another query or scope"):
            message_position(cursor, scope, session, other)
    with pytest.raises(InvalidInput):
        message_position(session_cursor(SCOPE, QUERY, ORDER, POSITION), SCOPE, "s1", window)
