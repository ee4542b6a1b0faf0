"""What the server does for a statement: ranges of indexes, never a sort of the whole, never a payload in a listing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery
from agentkeep_postgres.listing import Listing
from agentkeep_postgres.statements import Names, Statement, Statements, load_statements
from psycopg.sql import SQL, Literal

if TYPE_CHECKING:
    from .conftest import Database

pytestmark = pytest.mark.anyio

_FILL = """
INSERT INTO {p}sessions (tenant, id, user_id, agent_name, status, state, metadata, labels, parent_id, version,
    message_count, last_seq, created_at, updated_at)
SELECT 't', 's' || n, 'u' || n % 200, 'a' || n % 50, (ARRAY['active', 'completed', 'abandoned'])[1 + n % 3], '{}', '{}',
    ARRAY[E't\\n' || n % 500], 'p' || n % 300, 1, 0, 0, now() - n * interval '1 second', now() - n * interval '1 second'
FROM generate_series(1, 20000) AS n;
INSERT INTO {p}messages (tenant, session_id, seq, id, role, created_at, payload)
SELECT 't', 's' || 1 + n / 5000, n % 5000 + 1, 'm' || n, 'user', now(), '{"content":"x"}'
FROM generate_series(0, 29999) AS n;
ANALYZE {p}sessions;
ANALYZE {p}messages;
"""


@pytest.fixture
async def filled(database: Database) -> AsyncIterator[Database]:
    """20,000 sessions, and 30,000 messages in six of them."""
    async with database.keep():
        await database.run(_FILL)
        yield database


def sql_of(database: Database) -> Statements:
    return load_statements(Names(None, database.prefix))


async def plan_of(database: Database, statement: Statement, values: dict[str, object]) -> dict[str, Any]:
    """The plan that the adapter's statement ends with, and what it met: for all values, or for these."""
    mode = "force_custom_plan" if statement.is_planned_each_time else "force_generic_plan"
    async with await psycopg.AsyncConnection.connect(database.dsn) as connection:
        await connection.execute(SQL("SET plan_cache_mode = {}").format(Literal(mode)))
        await connection.execute(SQL("PREPARE asked AS " + statement.text))  # pyright: ignore[reportArgumentType]
        asked = SQL(", ").join(map(Literal, statement.arguments(values)))
        cursor = await connection.execute(SQL("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked({})").format(asked))
        row = await cursor.fetchone()
        assert row is not None
        return row[0][0]["Plan"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def rows_met(plan: dict[str, Any]) -> int:
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in nodes(plan)
    )


def check_range(plan: dict[str, Any], *, most: int) -> None:
    kinds = {node["Node Type"] for node in nodes(plan)}
    assert "Seq Scan" not in kinds, json.dumps(plan, indent=1)
    assert rows_met(plan) <= most, json.dumps(plan, indent=1)


_QUERIES = {
    "all": SessionQuery(),
    "user": SessionQuery(user_id="u7"),
    "agent": SessionQuery(agent_name="a7"),
    "status": SessionQuery(status="completed"),
    "parent": SessionQuery(parent_id="p7"),
    "user and status": SessionQuery(user_id="u7", status="active"),
    "time": SessionQuery(
        updated_after=datetime(2020, 1, 1, tzinfo=UTC), updated_before=datetime(2100, 1, 1, tzinfo=UTC)
    ),
}


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("query", _QUERIES.values(), ids=_QUERIES)
async def test_a_page_by_update_time_is_a_range_of_an_index(
    filled: Database, query: SessionQuery, descending: bool, behind: bool
) -> None:
    """READ-5: no sort at all, and no more rows than the page and what its filter passes over."""
    after = SessionPosition(datetime.now(UTC), "s1") if behind and descending else None
    after = SessionPosition(datetime(2020, 1, 1, tzinfo=UTC), "s1") if behind and not descending else after
    listing = Listing(sql_of(filled))
    call = listing.page(Scope("t"), query, SessionOrder("updated_at", descending), limit=20, after=after)
    plan = await plan_of(filled, *call)
    assert not any("Sort" in node["Node Type"] for node in nodes(plan)), json.dumps(plan, indent=1)
    check_range(plan, most=500)


@pytest.mark.parametrize("query", [SessionQuery(), SessionQuery(user_id="u7")], ids=["all", "user"])
async def test_a_page_by_creation_time_is_a_range_of_an_index(filled: Database, query: SessionQuery) -> None:
    call = Listing(sql_of(filled)).page(Scope("t"), query, SessionOrder("created_at", True), limit=20, after=None)
    plan = await plan_of(filled, *call)
    assert not any("Sort" in node["Node Type"] for node in nodes(plan))
    check_range(plan, most=100)


async def test_a_page_by_label_reads_the_labelled_sessions_alone(filled: Database) -> None:
    call = Listing(sql_of(filled)).page(
        Scope("t"), SessionQuery(labels=("7",)), SessionOrder("updated_at", True), limit=20, after=None
    )
    check_range(await plan_of(filled, *call), most=500)


async def test_a_listing_reads_no_messages(filled: Database) -> None:
    """READ-5."""
    listing = Listing(sql_of(filled))
    for call in (
        listing.page(Scope("t"), SessionQuery(), SessionOrder("updated_at", True), limit=20, after=None),
        listing.count(Scope("t"), SessionQuery()),
    ):
        plan = await plan_of(filled, *call)
        assert {node.get("Relation Name") for node in nodes(plan)} <= {f"{filled.prefix}sessions", None}


@pytest.mark.parametrize("name", ["list_forward", "list_backward"])
async def test_a_window_of_a_log_is_a_range_of_its_key(filled: Database, name: str) -> None:
    """READ-3."""
    values: dict[str, object] = {"tenant": "t", "scope_user": None, "session_id": "s3", "after": 2000, "before": 2**53}
    plan = await plan_of(filled, sql_of(filled)[name], values | {"limit": 20})
    check_range(plan, most=200)


async def test_a_message_is_found_by_its_id(filled: Database) -> None:
    values: dict[str, object] = {"tenant": "t", "scope_user": None, "session_id": "s3", "message_id": "m10001"}
    check_range(await plan_of(filled, sql_of(filled)["get_message"], values), most=10)


async def test_a_sweep_reads_what_has_expired_alone(filled: Database) -> None:
    await filled.run("UPDATE {p}sessions SET expires_at = now() - interval '1 minute' WHERE id IN ('s1', 's2')")
    await filled.run("ANALYZE {p}sessions")
    plan = await plan_of(filled, *Listing(sql_of(filled)).remove_expired(None, limit=100))
    check_range(plan, most=100)


async def test_a_search_is_led_by_its_index(filled: Database) -> None:
    """SRCH-1: the trigrams of the longest word, not all of a tenant's texts."""
    await filled.run("UPDATE {p}messages SET search = id || ' filler text'")
    await filled.run("VACUUM ANALYZE {p}messages")
    statement = sql_of(filled).joined("search_parts", "only_living", "best_first")
    values: dict[str, object] = {"tenant": "t", "words": ["m10001"], "pattern": "%m10001%", "patterns": ["%m10001%"]}
    check_range(await plan_of(filled, statement, values | {"limit": 20}), most=500)
