"""What SQLite does for each read: ranges of indices, no walk of a table, no sorting of the whole (READ-3, READ-5)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery
from agentkeep_sqlite.client import DriverConnection
from agentkeep_sqlite.listing import Listing
from agentkeep_sqlite.statements import load_migrations, load_statements
from agentkeep_sqlite.tables import Tables, label_digest

PREFIX = "agentkeep_"
SQL = load_statements(PREFIX)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FILTERS: dict[str, Any] = {
    "user_id": "u",
    "agent_name": "a",
    "status": "active",
    "parent_id": "p",
    "labels": ("l", "m"),
    "updated_after": NOW,
}
ORDERS = [SessionOrder("updated_at", True), SessionOrder("created_at", False)]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in load_migrations(PREFIX):
            for statement in migration:
                connection.execute(statement)
        connection.execute(SQL["create_schema_table"])
        connection.execute(SQL["create_search"])
        yield connection


def plan(connection: sqlite3.Connection, sql: str, values: Any) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


class Recorder(DriverConnection):
    """Keeps each statement of a listing with its plan."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        super().__init__(driver)
        self.plans: dict[str, list[str]] = {}

    def all(self, sql: str, values: Any = ()) -> Any:
        self.plans[sql] = plan(self.driver, sql, values)
        return super().all(sql, values)

    @property
    def of_the_page(self) -> list[str]:
        return [steps for sql, steps in self.plans.items() if " AS lead " in sql][-1]


def assert_a_walk_of_one_index(steps: list[str]) -> None:
    assert [step for step in steps if step.startswith("SEARCH lead USING")], steps
    assert not [step for step in steps if "TEMP B-TREE" in step], steps
    scans = [step for step in steps if step.startswith("SCAN") and not step.startswith("SCAN step")]
    assert not [step for step in scans if "json_each" not in step and "wanted" not in step], steps


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("user", [None, "scoped"])
@pytest.mark.parametrize("after", [None, SessionPosition(NOW, "s")])
def test_every_listing_walks_one_index_in_its_order(
    connection: sqlite3.Connection, order: SessionOrder, user: str | None, after: SessionPosition | None
) -> None:
    listing = Listing(Tables(SQL))
    for chosen in product([False, True], repeat=len(FILTERS)):
        query = SessionQuery(**{name: FILTERS[name] for name, is_in in zip(FILTERS, chosen, strict=True) if is_in})
        db = Recorder(connection)
        listing.page(Scope("t", user), query, order, 10, after, db)
        steps = db.of_the_page
        assert steps[0].startswith("SEARCH lead USING")
        assert_a_walk_of_one_index(steps)
        assert "message" not in " ".join(steps)
        if after is not None and not query.updated_after:
            assert f"{order.field}" in steps[0].partition("(")[2], steps


def test_counting_and_bulk_deletion_walk_an_index(connection: sqlite3.Connection) -> None:
    listing = Listing(Tables(SQL))
    for name, value in FILTERS.items():
        query = SessionQuery(**{name: value})
        for after in (None, (0, "s")):
            db = Recorder(connection)
            listing.count_step(Scope("t"), query, after, db)
            assert_a_walk_of_one_index(db.of_the_page)
        db = Recorder(connection)
        listing.keys(Scope("t"), query, 5, db)
        assert_a_walk_of_one_index(db.of_the_page)


def test_the_rarest_filter_leads(connection: sqlite3.Connection) -> None:
    row = "(tenant, id, status, user_id, agent_name, version, message_count, last_seq, label_count, counters, {})"
    columns = row.format("created_at, updated_at")
    rows = [
        ("t", f"s{n}", "active", "common", "rare" if n < 3 else "common", 1, 0, 0, 2, "{}", n, n) for n in range(500)
    ]
    connection.executemany(
        f"INSERT INTO {PREFIX}session {columns} VALUES ({', '.join('?' * 12)})",  # noqa: S608 - written above
        rows,
    )
    labels = [
        (key, label_digest(label), "t", f"s{key}", key, key)
        for key in range(1, 501)
        for label in ("a-common", *(["z-rare"] if key < 5 else []))
    ]
    connection.executemany(f"INSERT INTO {PREFIX}session_label VALUES (?, ?, ?, ?, ?, ?)", labels)  # noqa: S608 - ours
    listing, db = Listing(Tables(SQL)), DriverConnection(connection)

    def lead(**conditions: Any) -> Any:
        return listing.rarest(Scope("t"), SessionQuery(**conditions), db)

    assert lead() is None
    assert lead(user_id="common", agent_name="rare").name == "agent_name"
    assert lead(user_id="common", agent_name="rare", labels=("a-common", "z-rare")).name == "agent_name"
    assert lead(user_id="common", labels=("a-common", "z-rare")).value == label_digest("z-rare")
    assert lead(status="active", user_id="nobody").name == "user_id"


@pytest.mark.parametrize("name", ["list_forward", "list_backward", "new_messages"])
def test_a_range_of_messages_is_a_range_of_the_index(connection: sqlite3.Connection, name: str) -> None:
    values = {"tenant": "t", "id": "s", "user_id": None, "now": 0, "after": 0, "before": 9, "limit": 5}
    steps = plan(connection, SQL[name], values)
    assert len(steps) == 2, steps
    assert "(session=? AND seq>?" in steps[1]


@pytest.mark.parametrize(
    "name",
    ["get_message", "stored_messages", "get_messages", "newest", "newest_time", "seq_after_step", "load_session"],
)
def test_single_look_ups_use_a_unique_index(connection: sqlite3.Connection, name: str) -> None:
    values = {"tenant": "t", "id": "s", "user_id": None, "now": 0, "message_id": "m", "key": 1, "step": 5}
    values |= {"ids": "[1]", "at_seq": 9}
    steps = plan(connection, SQL[name], values)
    assert all(step.startswith("SEARCH") for step in steps if "wanted" not in step), steps


@pytest.mark.parametrize(
    "name",
    ["delete_messages", "unindex", "copy_messages", "expired", "delete_labels", "has_unsettled", "has_listed_expired"],
)
def test_removal_copy_and_sweep_touch_what_they_mean(connection: sqlite3.Connection, name: str) -> None:
    values = dict.fromkeys(_names(SQL[name]), 1)
    steps = plan(connection, SQL[name], values)
    tables = [step for step in steps if "message" in step or "session" in step]
    assert tables, steps
    assert all(step.startswith("SEARCH") for step in tables), steps
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


def test_every_statement_is_one_that_sqlite_accepts(connection: sqlite3.Connection) -> None:
    """All but the parts of others, which are tried joined."""
    parts = ("select_", "from_", "only_", "behind_", "order_", "first_of_them", "rest", "count_step", "end_of_matches")
    parts += ("session_columns", "message_columns", "hit_columns", "is_visible", "matches")
    whole = {name: sql for name, sql in SQL.items() if not name.startswith(parts)}
    assert len(whole) > 35
    for name, sql in whole.items():
        values: Any = dict.fromkeys(_names(sql), 1) or (1,) * sql.count("?")
        assert plan(connection, sql, values) is not None, name


def _names(sql: str) -> list[str]:
    return re.findall(r":([a-z_]+)", sql)
