"""Appends of several callers that share a statement."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from agentkeep import Keep, NewMessage
from agentkeep.errors import SessionNotFound
from agentkeep.records import Append, AppendedRecord, MessageDraft, Scope
from agentkeep.spi import together
from agentkeep_postgres.client import Client

if TYPE_CHECKING:
    from .conftest import Database

pytestmark = pytest.mark.anyio

_SESSIONS = ["a", "b", "c", "d"]


def append(keep: Keep, session_id: str, content: str) -> asyncio.Task[Any]:
    return asyncio.ensure_future(_append(keep, session_id, content))


async def _append(keep: Keep, session_id: str, content: str) -> Any:
    return await keep.messages.append(session_id, [NewMessage(role="user", content=content)])


async def contents(keep: Keep, session_id: str) -> list[Any]:
    return [message.content async for message in keep.messages.iterate(session_id)]


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Generator[Counter[str]]:
    """How often each function was called that appends."""
    found: Counter[str] = Counter()
    write: Any = Client.write

    async def count(self: Client, statement: Any, *args: Any, **options: Any) -> Any:
        found["append_many" if "append_many(" in statement.text else "append"] += 1
        return await write(self, statement, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Client, "write", count)
        yield found


@pytest.fixture
async def keep(database: Database, monkeypatch: pytest.MonkeyPatch) -> Any:
    """With sessions, and on a busy machine too no exchange is slow."""
    monkeypatch.setattr(together, "SLOW_SECONDS", 60)
    async with database.keep() as keep:
        for id in _SESSIONS:
            await keep.sessions.create(id)
        yield keep


async def test_calls_that_wait_share_one_statement(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is sent by itself, the others together, in the order of their callers."""
    with counted(monkeypatch) as statements:
        await asyncio.gather(*(append(keep, id, f"{n}") for n in range(8) for id in _SESSIONS))
    assert statements == {"append": 1, "append_many": 1}
    for id in _SESSIONS:
        assert await contents(keep, id) == [f"{n}" for n in range(8)]


async def test_calls_for_one_session_are_one_append(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    with counted(monkeypatch) as statements:
        found = await asyncio.gather(*(append(keep, "a", f"{n}") for n in range(9)))
    assert statements == {"append": 2}
    assert [(one[0].content, one[0].seq, one.last_seq, one.new) for one in found] == [
        (f"{n}", n + 1, n + 1, 1) for n in range(9)
    ]


async def test_a_locked_session_delays_no_other(database: Database, keep: Keep) -> None:
    """ORD-4, COST-3: its own calls wait, and land in their order."""
    async with await psycopg.AsyncConnection.connect(database.dsn) as holder, asyncio.timeout(60):
        await holder.execute(f"SELECT FROM {database.prefix}sessions WHERE id = 'b' FOR UPDATE".encode())
        tasks = {(id, n): append(keep, id, f"{n}") for n in range(4) for id in _SESSIONS}
        await asyncio.wait([task for (id, _), task in tasks.items() if id != "b"])
        later = append(keep, "c", "later")
        await later
        assert not any(tasks["b", n].done() for n in range(4))
        await holder.rollback()
        await asyncio.gather(*tasks.values())
    assert await contents(keep, "b") == ["0", "1", "2", "3"]


async def test_two_keeps_that_lock_in_opposite_orders_never_wait_for_each_other(database: Database, keep: Keep) -> None:
    """ORD-4: also while a sweep, a fork and a removal run. The server counts its deadlocks."""
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = await database.run(deadlocks)
    async with database.keep() as twin, asyncio.timeout(120):
        for number in range(20):
            await asyncio.gather(
                *(append(keep, id, f"k{number}") for id in _SESSIONS * 2),
                *(append(twin, id, f"t{number}") for id in _SESSIONS[::-1] * 2),
                keep.sessions.fork("a", new_id=f"fork{number}"),
                twin.sessions.delete_many(parent_id="a"),
                twin.sweep(),
            )
    for id in _SESSIONS:
        assert Counter(await contents(keep, id)) == {f"{who}{number}": 2 for who in "kt" for number in range(20)}
    assert await database.run(deadlocks) == before


async def test_calls_of_other_scopes_do_not_share_an_append(keep: Keep) -> None:
    """ISO-1: those of a user who may not see the session fail alone."""
    await keep.sessions.create("of u1", user_id="u1")
    views: list[Any] = [keep, keep.for_user("u1"), keep.for_user("u2"), keep.for_tenant("other")]
    for others in ([], ["a", "b"]):
        found = await asyncio.gather(
            append(keep, "of u1", "first"),
            *(append(view, "of u1", "next") for view in views),
            *(append(keep, id, "beside") for id in others),
            return_exceptions=True,
        )
        refused = [n for n, one in enumerate(found) if isinstance(one, SessionNotFound)]
        assert refused == [3, 4]
        assert not [one for n, one in enumerate(found) if isinstance(one, BaseException) and n not in refused]
    assert await contents(keep, "of u1") == ["first", "next", "next"] * 2


def record(session_id: str, id: str) -> Append:
    draft = MessageDraft(id=id, role="user", payload="{}", content_key="k", search_text="", created_at=None)
    return Append(session_id=session_id, messages=[draft], may_be_stored=False)


async def test_a_record_that_was_sent_before_is_a_repetition_among_others_too(keep: Keep, database: Database) -> None:
    """IDEM-2: the statement that they share is rolled back, and each of them is sent by itself."""
    scope = Scope("default")
    async with database.keep() as twin:
        messages = twin.adapter.messages
        first = await messages.append(scope, record("b", "known"))
        for others in (_SESSIONS, ["b"]):
            sent = [record(id, f"{others} {id} {n}") for n in range(2) for id in others]
            found: list[AppendedRecord] = await asyncio.gather(
                *(messages.append(scope, one) for one in [*sent[:1], record("b", "known"), *sent[1:]])
            )
            assert found[1] == first._replace(new=0)
            assert [one.new for one in found] == [1, 0] + [1] * (len(sent) - 1)
    assert len(await contents(keep, "b")) == 1 + 2 + 2


_SLOW = """
CREATE FUNCTION {p}slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT ON {p}messages EXECUTE FUNCTION {p}slow();
"""


async def test_a_session_that_expires_while_others_are_written_stays_expired(database: Database, keep: Keep) -> None:
    """TTL-1, ERR-2: nothing of the shared statement lands; then each call is sent by itself."""
    await keep.sessions.create("ends", ttl=2.5)
    await keep.sessions.create("idle", idle_ttl=3600)
    await database.run(_SLOW)
    try:
        calls = [append(keep, id, "x") for id in ("a", "b", "ends", "idle")]  # the first takes 2 s by itself
        found = await asyncio.gather(*calls, return_exceptions=True)
    finally:
        await database.run("DROP TRIGGER slow ON {p}messages")
    assert [type(one).__name__ for one in found] == ["Appended", "Appended", "SessionNotFound", "Appended"]
    assert [await contents(keep, id) for id in ("a", "b", "idle")] == [["x"]] * 3
    assert await database.run("SELECT count(*) FROM {p}messages WHERE session_id = 'ends'") == [(0,)]


async def test_a_short_life_is_judged_by_the_append_itself(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    """TTL-1: a session in its last second has no part in a shared statement, but its appends land."""
    await keep.sessions.create("short", idle_ttl=0.9)
    with counted(monkeypatch) as statements:
        await asyncio.gather(*(append(keep, id, "x") for id in ("a", "b", "short", "short")))
    assert statements == {"append": 2, "append_many": 1}
    assert await contents(keep, "short") == ["x", "x"]


async def test_cancelled_callers_leave_no_statement_behind(database: Database, keep: Keep) -> None:
    """FLT-3, FLT-4: if all of them go, the server stops."""
    async with await psycopg.AsyncConnection.connect(database.dsn) as holder:
        await holder.execute(f"SELECT FROM {database.prefix}sessions FOR UPDATE".encode())
        calls = [append(keep, "a", f"{n}") for n in range(4)]
        await asyncio.sleep(0.3)
        for call in calls:
            call.cancel()
        async with asyncio.timeout(30):
            found = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(one) for one in found] == [asyncio.CancelledError] * 4
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
        assert await database.run(waiting, f"%{database.prefix}append%") == [(0,)]
        await holder.rollback()
    assert await contents(keep, "a") == []
    assert (await _append(keep, "a", "after"))[0].seq == 1
