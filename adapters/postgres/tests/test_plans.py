"""What the server does for each statement: in tables that grew and were never analysed, and in analysed ones.

Without statistics each plan is made while the tables are empty and kept, as by a process that is as old as its database
(COST-4). A plan must be a range of an index or a look-up by key: never a scan of a table, never a sort of all rows.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery
from agentkeep_conformance.outcomes import TIER
from agentkeep_conformance.servers import POSTGRES, POSTGRES_NEWEST, POSTGRES_OLDEST
from agentkeep_postgres.listing import Listing, candidates, conditions, values_of
from agentkeep_postgres.sweep import removal_of_expired

if TYPE_CHECKING:
    from .conftest import Database

from .plans import STATISTICS, check, grown, nodes, statements_of

pytestmark = pytest.mark.anyio


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The planners of all supported lines, nightly."""
    if metafunc.config.stash[TIER] == "nightly":
        servers = (POSTGRES, POSTGRES_OLDEST, POSTGRES_NEWEST)
        metafunc.parametrize("database", servers, indirect=True, ids=[server.name for server in servers])


_SCOPE = Scope("t")
_NEWEST = SessionOrder("updated_at", True)
_APPEND: dict[str, object] = {
    **{"ids": ["new"], "roles": ["user"], "payloads": ["{}"], "keys": ["k"], "searches": ["x"], "times": None},
    **{"may_be_stored": True, "skip": False, "create": None, "expected_version": None, "expected_last_seq": None},
    **{"truncate_after": None, "keep_last": None, "changes": None, "add": None},
}
_MANY: dict[str, object] = {
    **{"tenants": ["t"] * 2, "users": [None, "u4"], "sessions": ["s3", "s4"], "added": ["1"] * 2},
    **{"last_times": [None] * 2, "places": ["1", "2"], "numbers": ["1"] * 2, "ids": ["n1", "n2"], "keys": ["k"] * 2},
    **{"roles": ["user"] * 2, "times": [None] * 2, "payloads": ["{}"] * 2, "searches": ["x"] * 2},
}
_CREATE = '{"id":"new","version":1,"state":"{}","metadata":"{}","labels":["x"],"ttl":null,"idle_ttl":1000}'
_AT: dict[str, object] = {"tenant": "t", "scope_user": None, "id": "s3", "session_id": "s3"}
_CALLS: dict[str, tuple[str, dict[str, object], int]] = {
    "create": ("create", {"draft": _CREATE}, 10),
    "get": ("get", {}, 1),
    "get many": ("get_many", {"ids": ["s3", "s4", "absent"]}, 3),
    "resume": ("resume", {"tail": 20}, 21),
    "update": ("update", {"expected_version": None, "changes": '{"title":"x"}', "add": '{"n":1}'}, 20),
    "update of metadata": (
        "update",
        {"expected_version": None, "changes": '{"metadata":"{}","labels":["y"]}', "add": None},
        20,
    ),
    "touch": ("touch", {"ttl": 1000}, 10),
    "fork": ("fork", {"at_seq": 5, "new_id": "new", "version": 1, "changes": None}, 40),
    "delete": ("delete", {"id": "s20000", "expected_version": None}, 20),
    "append": ("append", {**_APPEND, "may_be_stored": False}, 10),
    "append with ids": ("append", {**_APPEND, "ids": ["m10001"], "keys": ["k"]}, 10),
    "append that skips": (
        "append",
        {**_APPEND, "ids": ["m10001", "n"], "keys": ["k"] * 2, "roles": ["user"] * 2, "payloads": ["{}"] * 2}
        | {"searches": ["x"] * 2, "skip": True},
        20,
    ),
    "append that cuts": ("append", {**_APPEND, "truncate_after": 4999, "keep_last": 4999, "changes": "{}"}, 30),
    "append that creates": ("append", {**_APPEND, "session_id": "new", "create": _CREATE}, 20),
    "several appends": ("append_many", _MANY, 20),
    "list forward": ("list_forward", {"after": 2000, "before": 2**53, "limit": 20}, 21),
    "list backward": ("list_backward", {"after": 2000, "before": 2**53, "limit": 20}, 21),
    "get messages": ("get_messages", {"ids": ["m10001", "m10002", "absent"]}, 4),
    "replace": (
        "replace",
        {"message_id": "m10001", "expected": "k", "role": "user", "payload": "{}", "key": "k", "search": "x"},
        10,
    ),
    "truncate": ("cut", {"after_seq": 4998, "keep_last": None}, 12),
    "trim": ("cut", {"after_seq": None, "keep_last": 4998}, 14),
    "pop": ("pop", {}, 12),
    "request notifications": ("request_notifications", {"notify_for": 1000}, 2),
}


@pytest.mark.parametrize("statistics", STATISTICS)
async def test_every_verb_meets_its_own_rows_alone(database: Database, statistics: str) -> None:
    """COST-4, READ-3: appends with their ids among the 5,000 messages of a session, for instance."""
    statements = statements_of(database)
    calls = {name: (statements[verb], _AT | values) for name, (verb, values, _) in _CALLS.items()}
    async with grown(database, list(calls.values()), statistics) as explained:
        for name, call in calls.items():
            plans = await explained.plans(*call)
            try:
                check(plans, most=_CALLS[name][2])
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from None


_QUERIES = {
    "all": (SessionQuery(), 20),
    "user": (SessionQuery(user_id="u7"), 20),
    "agent": (SessionQuery(agent_name="a7"), 20),
    "status": (SessionQuery(status="completed"), 20),
    "parent": (SessionQuery(parent_id="p7"), 20),
    "label": (SessionQuery(labels=("of 3",)), 40),
    "rare label": (SessionQuery(labels=("rare",)), 40),
    "time": (
        SessionQuery(updated_after=datetime(2020, 1, 1, tzinfo=UTC), updated_before=datetime(2100, 1, 1, tzinfo=UTC)),
        20,
    ),
    "user and status": (SessionQuery(user_id="u7", status="active"), 1_000),
    "user and agent": (SessionQuery(user_id="u7", agent_name="a7"), 1_000),
    "label and status": (SessionQuery(status="completed", labels=("rare",)), 1_200),
    "two labels": (SessionQuery(labels=("common", "rare")), 1_200),
    "two labels, the rare one first": (SessionQuery(labels=("rare", "common")), 1_200),
    "two common labels": (SessionQuery(labels=("common", "half 1")), 2_300),
    "a common label and status": (SessionQuery(status="completed", labels=("common",)), 2_400),
    "all kinds": (
        SessionQuery(user_id="u7", status="active", agent_name="a7", parent_id="p7", labels=("of 3", "common")),
        2_500,
    ),
}


_ORDERS = [SessionOrder(f, d) for f in ("updated_at", "created_at") for d in (True, False)]


@pytest.mark.parametrize(
    ("order", "statistics"),
    [*((order, "none") for order in _ORDERS), *((_ORDERS[0], each) for each in STATISTICS[1:])],
    ids=str,
)
async def test_a_page_is_a_range_of_an_index(database: Database, order: SessionOrder, statistics: str) -> None:
    """READ-5: each filter, and pairs of rare and common ones."""
    listing = Listing(statements_of(database))
    ends = (datetime(2100, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))
    after = SessionPosition(ends[0] if order.descending else ends[1], "s")
    calls = {
        (name, behind): listing.page(_SCOPE, query, order, limit=20, after=behind)
        for name, (query, _) in _QUERIES.items()
        for behind in (None, after)
    }
    async with grown(database, list(calls.values()), statistics) as explained:
        for (name, _), call in calls.items():
            plans = await explained.plans(*call)
            try:
                check(plans, most=_QUERIES[name][1])
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from None


@pytest.mark.parametrize("statistics", STATISTICS)
async def test_counting_and_removing_follow_an_index(database: Database, statistics: str) -> None:
    """COST-3, READ-5: no messages are read to count; a step of a removal reads what it removes."""
    statements = statements_of(database)
    query = SessionQuery(user_id="u7", status="active")
    count = Listing(statements).count(_SCOPE, query)
    removal = statements.joined(
        "candidates_begin", *candidates(_SCOPE, query), "candidates_end", *conditions(_SCOPE, query), "locked_end"
    )
    expired = statements.joined(*removal_of_expired(()))
    values = values_of(_SCOPE, query) | {"limit": 10}
    async with grown(database, [count, (removal, values), (expired, values)], statistics) as explained:
        await database.run("UPDATE {p}sessions SET expires_at = now() - interval '1 minute' WHERE id IN ('s11', 's12')")
        await database.run("UPDATE {p}sessions SET listed = false WHERE id = 's12'")
        plans = await explained.plans(*count)
        check(plans, most=1_000)
        tables = {node.get("Relation Name") for plan in plans for node in nodes(plan)}
        assert tables <= {f"{database.prefix}sessions", None}
        check(await explained.plans(removal, values), most=1_200)
        check(await explained.plans(expired, values), most=50)


@pytest.mark.parametrize("within", ["index_tenant", "index_session", "index_owner"])
async def test_a_search_is_led_by_its_index(database: Database, within: str) -> None:
    """SRCH-1: planned for each search, as `Client` does."""
    statement = statements_of(database).joined("search_begin", within, "index_word_1", "only_living", "search_end")
    assert statement.is_planned_each_time
    values: dict[str, object] = {"tenant": "t", "session_id": "s3", "owner": "u3", "words": ["m10001"]}
    values |= {"patterns": ["%m10001%"], "word_1": "%m10001%", "limit": 20, "candidates": 1000}
    async with grown(database, []) as explained:
        check(await explained.plans(statement, values), most=250)
