"""Every query walks an index, sorts nothing in memory, and reads about as much as it returns (READ-3, READ-5, COST-4).

The server's profiler writes down what it did for the adapter's own calls.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest
from agentkeep import Keep, NewMessage
from agentkeep_conformance.storage.mongo import client_of
from agentkeep_mongo import MongoAdapter

pytestmark = pytest.mark.anyio

SESSIONS = 240
MESSAGES = 3_000
PAGE = 20
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


Call: TypeAlias = Callable[[Keep], Awaitable[Any]]

READS: dict[str, tuple[Call, int]] = {
    "tail": (lambda keep: keep.messages.tail("long", PAGE), 2 * PAGE + 5),
    "resume": (lambda keep: keep.sessions.resume("long", tail=PAGE), 4 * PAGE),
    "page from the middle": (lambda keep: keep.messages.list("long", after=1_000, limit=PAGE), 2 * PAGE + 10),
    "page to the middle": (
        lambda keep: keep.messages.list("long", before=1_000, limit=PAGE, newest_first=True),
        2 * PAGE + 10,
    ),
    "one message": (lambda keep: keep.messages.get("long", "m1500"), 6),
    "some messages": (lambda keep: keep.messages.get_many("long", [f"m{n}" for n in range(100, 110)]), 60),
    "one session": (lambda keep: keep.sessions.get("s7"), 2),
    "some sessions": (lambda keep: keep.sessions.get_many([f"s{n}" for n in range(10)]), 40),
    "newest sessions": (lambda keep: keep.sessions.list(limit=PAGE), 3 * PAGE),
    "oldest sessions": (lambda keep: keep.sessions.list(limit=PAGE, order="created_at"), 3 * PAGE),
    "a user's": (lambda keep: keep.sessions.list(user_id="u3", limit=PAGE), 3 * PAGE),
    "an agent's": (lambda keep: keep.sessions.list(agent_name="a1", limit=PAGE, order="-created_at"), 3 * PAGE),
    "a status": (lambda keep: keep.sessions.list(status="active", limit=PAGE), 3 * PAGE),
    "a parent's": (lambda keep: keep.sessions.list(parent_id="p2", limit=PAGE), 3 * PAGE),
    "a label's": (lambda keep: keep.sessions.list(metadata={"tier": "gold"}, limit=PAGE), 3 * PAGE),
    "since": (lambda keep: keep.sessions.list(updated_after=LONG_AGO, limit=PAGE), 3 * PAGE),
    "none since": (lambda keep: keep.sessions.list(updated_before=LONG_AGO, limit=PAGE), 5),
    "a user's count": (lambda keep: keep.sessions.count(user_id="u3"), 2 * SESSIONS // 8 + 5),
    "a word of one message": (lambda keep: keep.messages.search("unicorn", session_id="long", limit=5), 40),
    "a sweep of nothing": (lambda keep: keep.sweep(), 5),
}
"""A call, and how many index keys and documents it may read."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def profiled(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Keep, Any]]:
    """A keep in a database of its own, that holds many sessions and a long one."""
    from agentkeep_conformance.outcomes import dsn_of
    from agentkeep_conformance.servers import MONGO_STANDALONE

    dsn = dsn_of(MONGO_STANDALONE, request.config)
    async with client_of(dsn) as client:
        database = client["agentkeep_plans"]
        async with Keep(MongoAdapter.from_url(dsn, database="agentkeep_plans")) as keep:
            await _fill(keep)
            yield keep, database
        await database.command("profile", 0)
        await client.drop_database("agentkeep_plans")


async def _fill(keep: Keep) -> None:
    for number in range(SESSIONS):
        limits: Any = {"ttl": timedelta(days=1)} if number % 2 else {}
        await keep.sessions.create(
            f"s{number}",
            user_id=f"u{number % 8}",
            agent_name=f"a{number % 4}",
            parent_id=f"p{number % 4}",
            metadata={"tier": "gold" if number % 3 else "tin"},
            **limits,
        )
    await keep.sessions.create("long")
    for start in range(0, MESSAGES, 500):
        batch = [NewMessage(role="user", id=f"m{n}", content=f"number {n}") for n in range(start, start + 500)]
        await keep.messages.append("long", batch)
    await keep.messages.append("long", [NewMessage(role="user", content="a unicorn")])
    await keep.messages.search("unicorn", session_id="long", limit=1)  # what is pending is moved


@pytest.mark.parametrize("name", READS)
async def test_a_read_walks_an_index_and_reads_little(profiled: tuple[Keep, Any], name: str) -> None:
    keep, database = profiled
    read, keys = READS[name]
    await read(keep)
    found = await _what_it_did(database, lambda: read(keep))
    assert found
    for each in found:
        assert each["planSummary"].startswith(("IXSCAN", "IDHACK")), each
        assert not each.get("hasSortStage"), each
    assert sum(each["keysExamined"] + each["docsExamined"] for each in found) <= keys, found


async def _what_it_did(database: Any, call: Callable[[], Awaitable[Any]]) -> list[dict[str, Any]]:
    """The reads that the server ran for a call."""
    await database.command("profile", 0)
    await database.drop_collection("system.profile")
    await database.command("profile", 2)
    await call()
    await database.command("profile", 0)
    wanted = {"planSummary": {"$exists": True}, "ns": {"$not": {"$regex": "system"}}}
    fields = {"planSummary": 1, "hasSortStage": 1, "keysExamined": 1, "docsExamined": 1, "ns": 1, "op": 1}
    return [each async for each in database["system.profile"].find(wanted, {**fields, "_id": 0})]
