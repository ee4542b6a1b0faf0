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
from agentkeep_sqlite.listing import Listing
from agentkeep_sqlite.statements import load_migrations, load_statements

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
        connection.execute(SQL["create_migration_table"])
        connection.execute(SQL["create_search"])
        yield connection


def plan(connection: sqlite3.Connection, sql: str, values: Any) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


def assert_a_walk_of_one_index(steps: list[str]) -> None:
    assert steps[0].startswith("SEARCH lead USING"), steps
    assert not [step for step in steps if "TEMP B-TREE" in step], steps
    assert not [step for step in steps if step.startswith("SCAN") and "json_each" not in step and "wanted" not in step]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("user", [None, "scoped"])
@pytest.mark.parametrize("after", [None, SessionPosition(NOW, "s")])
def test_every_listing_walks_one_index_in_its_order(
    connection: sqlite3.Connection, order: SessionOrder, user: str | None, after: SessionPosition | None
) -> None:
    listing = Listing(SQL)
    for chosen in product([False, True], repeat=len(FILTERS)):
        query = SessionQuery(**{name: FILTERS[name] for name, is_in in zip(FILTERS, chosen, strict=True) if is_in})
        sql, values = listing.page(Scope("t", user), query, order, limit=10, after=after, now=0)
        steps = plan(connection, sql, values)
        assert_a_walk_of_one_index(steps)
        assert "message" not in " ".join(steps)
        if after is not None and not query.updated_after:
            assert f"{order.field}" in steps[0].partition("(")[2], steps


def test_counting_and_bulk_deletion_walk_an_index(connection: sqlite3.Connection) -> None:
    listing = Listing(SQL)
    for name, value in FILTERS.items():
        query = SessionQuery(**{name: value})
        for sql, values in (
            listing.count(Scope("t"), query, now=0),
            listing.keys(Scope("t"), query, limit=5, now=0),
        ):
            assert_a_walk_of_one_index(plan(connection, sql, values))


@pytest.mark.parametrize("name", ["list_forward", "list_backward", "new_messages"])
def test_a_range_of_messages_is_a_range_of_the_index(connection: sqlite3.Connection, name: str) -> None:
    values = {"tenant": "t", "id": "s", "user_id": None, "now": 0, "after": 0, "before": 9, "limit": 5}
    steps = plan(connection, SQL[name], values)
    assert len(steps) == 2, steps
    assert "(session=? AND seq>?" in steps[1]


@pytest.mark.parametrize(
    "name", ["get_message", "stored_message", "newest", "newest_time", "first_kept", "load_session"]
)
def test_single_look_ups_use_a_unique_index(connection: sqlite3.Connection, name: str) -> None:
    values = {"tenant": "t", "id": "s", "user_id": None, "now": 0, "message_id": "m", "key": 1, "keep_last": 5}
    steps = plan(connection, SQL[name], values)
    assert all(step.startswith("SEARCH") for step in steps), steps


@pytest.mark.parametrize("name", ["delete_messages", "unindex", "fork_messages", "expired", "delete_labels"])
def test_removal_copy_and_sweep_touch_what_they_mean(connection: sqlite3.Connection, name: str) -> None:
    values = dict.fromkeys(_names(SQL[name]), 1)
    steps = plan(connection, SQL[name], values)
    tables = [step for step in steps if "message" in step or "session" in step]
    assert tables, steps
    assert all(step.startswith("SEARCH") for step in tables), steps
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


def test_every_statement_is_one_that_sqlite_accepts(connection: sqlite3.Connection) -> None:
    """All but the parts of listings, which are tried joined above."""
    parts = ("select_", "from_", "only_", "behind_", "order_", "first_of_them")
    whole = {name: sql for name, sql in SQL.items() if not name.startswith(parts)}
    assert len(whole) > 35
    for name, sql in whole.items():
        values: Any = dict.fromkeys(_names(sql), 1) or (1,) * sql.count("?")
        assert plan(connection, sql, values) is not None, name


def _names(sql: str) -> list[str]:
    return re.findall(r":([a-z_]+)", sql)
