"""Pages: nothing capped, nothing twice, nothing lost, cursors that belong to one query (READ-1, READ-2, ORD-3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import pytest
from agentkeep import InvalidInput, Keep, Message, Page, SessionNotFound, View
from agentkeep.sessions import Order

from agentkeep_conformance.clauses import proves, takes_long
from agentkeep_conformance.database import Database
from agentkeep_conformance.samples import HandClock, at_once, everything, ids, numbered, said, seqs

T = TypeVar("T")
CAPS = [9, 10, 11, 99, 100, 101, 199, 200, 201, 500, 501, 1_000, 1_001]
"""Where databases, drivers and Agentkeep's own pages stop by themselves."""

ORDERS: list[Order] = ["created_at", "-created_at", "updated_at", "-updated_at"]

BAD_LIMITS: list[Any] = [0, -1, 1_001, 2**31, True, "5", None, 1.0]

COLLATING = ["a", "B", "b", "A", "Z", "_", "-", "10", "9", "é", "e\u0301", "ß", "ss", "\uffee", "\U0001f600", "中"]
"""Ids whose order in bytes is not that of a language, of UTF-16 or of numbers."""


async def all_pages(read: Callable[..., Awaitable[Page[T]]], limit: int, **query: Any) -> list[T]:
    page = await read(limit=limit, **query)
    rows = page.items
    while page.has_more:
        assert page.next_cursor is not None
        assert len(page.items) == limit
        page = await read(limit=limit, cursor=page.next_cursor, **query)
        rows += page.items
    assert page.next_cursor is None
    return rows


async def fill(keep: View, count: int) -> None:
    await at_once(keep.sessions.create(f"s{n:04}") for n in range(count))


async def with_messages(keep: View, count: int) -> None:
    await keep.sessions.create("s")
    for start in range(1, count + 1, 1_000):
        await keep.messages.append("s", numbered(min(1_000, count + 1 - start), start))


class OrderAndPaging:
    @takes_long
    @proves("READ-2", "READ-1")
    @pytest.mark.parametrize("order", ORDERS)
    async def test_a_thousand_ties_are_each_met_once(self, database: Database, keep: Keep, order: Order) -> None:
        if not keep.capabilities.server_clock:
            keep = await database.keep(clock=HandClock())
        await fill(keep, 1_000)
        rows = await all_pages(keep.sessions.list, 37, order=order)
        assert len(rows) == 1_000
        direction = -1 if order.startswith("-") else 1
        field = order.lstrip("-")
        assert rows == sorted(rows, key=lambda row: (getattr(row, field), row.id.encode()))[::direction]
        assert len(set(ids(rows))) == 1_000

    @proves("READ-2", "ISO-2")
    @pytest.mark.parametrize("order", ORDERS)
    async def test_ties_stand_in_the_order_of_their_ids_bytes(
        self, database: Database, keep: Keep, order: Order
    ) -> None:
        clock = HandClock()
        keep = keep if keep.capabilities.server_clock else await database.keep(clock=clock)
        for name in COLLATING:
            await keep.sessions.create(name)
        rows = await all_pages(keep.sessions.list, 1, order=order)
        key = order.lstrip("-")
        expected = sorted(rows, key=lambda row: (getattr(row, key), row.id.encode()), reverse=order.startswith("-"))
        assert ids(rows) == ids(expected)
        assert sorted(ids(rows)) == sorted(COLLATING)

    @proves("READ-1")
    @pytest.mark.parametrize("count", CAPS)
    async def test_no_number_of_messages_is_capped(self, keep: Keep, count: int) -> None:
        await with_messages(keep, count)
        assert seqs([row async for row in keep.messages.iterate("s")]) == list(range(1, count + 1))
        assert await keep.messages.count("s") == count
        limit = min(count, 1_000)
        page = await keep.messages.list("s", limit=limit)
        assert (seqs(page.items), page.has_more) == (list(range(1, limit + 1)), count > limit)
        assert (page.next_cursor is not None) == page.has_more
        assert len(await keep.messages.tail("s", limit)) == limit
        if count > 1:
            short = await keep.messages.list("s", limit=min(count - 1, 1_000))
            assert (len(short.items), short.has_more) == (min(count - 1, 1_000), True)

    @proves("READ-1")
    async def test_a_long_log_is_read_whole(self, keep: Keep) -> None:
        await with_messages(keep, 2_345)
        assert seqs([row async for row in keep.messages.iterate("s")]) == list(range(1, 2_346))
        assert seqs([row async for row in keep.messages.iterate("s", after=2_300)]) == list(range(2_301, 2_346))
        assert seqs(await keep.messages.tail("s", 1_000)) == list(range(1_346, 2_346))
        assert await keep.messages.trim("s", keep_last=1_100) == 1_245
        assert await keep.messages.clear("s") == 1_100

    @proves("READ-1", "ORD-5")
    async def test_no_number_of_sessions_is_capped(self, keep: Keep) -> None:
        made = 0
        for count in CAPS:
            await at_once(keep.sessions.create(f"s{n}") for n in range(made, count))
            made = count
            assert len(await everything(keep.sessions.iterate())) == await keep.sessions.count() == count
            page = await keep.sessions.list(limit=min(count, 1_000))
            assert (len(page.items), page.has_more) == (min(count, 1_000), count > 1_000)
            assert (page.next_cursor is not None) == page.has_more

    @proves("READ-1")
    @pytest.mark.parametrize("limit", BAD_LIMITS, ids=repr)
    async def test_a_limit_outside_1_to_1000_is_refused_by_every_verb(self, keep: Keep, limit: Any) -> None:
        await with_messages(keep, 3)
        with pytest.raises(InvalidInput):
            await keep.sessions.list(limit=limit)
        with pytest.raises(InvalidInput):
            await keep.messages.list("s", limit=limit)
        with pytest.raises(InvalidInput):
            await keep.messages.list("s", limit=limit, newest_first=True)
        if limit != 1_001 and limit != 2**31:  # a tail may be of any length
            with pytest.raises(InvalidInput):
                await keep.messages.tail("s", limit)
        if keep.capabilities.search:
            with pytest.raises(InvalidInput):
                await keep.messages.search("text", limit=limit)
        for edge in (1, 1_000):
            assert len((await keep.sessions.list(limit=edge)).items) == 1
            assert len((await keep.messages.list("s", limit=edge)).items) == len(await keep.messages.tail("s", edge))

    @proves("READ-2")
    @pytest.mark.parametrize("order", ["created_at", "-created_at"])
    async def test_pages_are_stable_while_rows_come_change_and_go(self, keep: Keep, twin: Keep, order: Order) -> None:
        for n in range(40):
            await keep.sessions.create(f"s{n:02}")
        gone: set[str] = set()
        met: Counter[str] = Counter()
        cursor = None
        for turn in range(100):
            page = await keep.sessions.list(order=order, limit=3, cursor=cursor)
            met.update(ids(page.items))
            if not page.has_more:
                break
            cursor = page.next_cursor
            victims = [f"s{turn:02}", f"s{39 - turn:02}"]
            gone |= {victim for victim in victims if await twin.sessions.delete(victim)}
            await twin.sessions.create(f"new{turn}")
            await twin.sessions.touch(f"s{19 + turn % 2}") if f"s{19 + turn % 2}" not in gone else None
        stayed = {f"s{n:02}" for n in range(40)} - gone
        assert {name: met[name] for name in stayed} == dict.fromkeys(stayed, 1)
        assert max(met.values()) == 1

    @proves("READ-2")
    @pytest.mark.parametrize("order", ["updated_at", "-updated_at"])
    async def test_a_row_that_moves_is_never_met_twice_in_one_version(
        self, keep: Keep, twin: Keep, order: Order
    ) -> None:
        first = {f"s{n:02}": (await keep.sessions.create(f"s{n:02}")).version for n in range(30)}
        moved: set[str] = set()
        met: Counter[tuple[str, int]] = Counter()
        cursor = None
        for turn in range(100):
            page = await keep.sessions.list(order=order, limit=4, cursor=cursor)
            met.update((row.id, row.version) for row in page.items)
            if not page.has_more:
                break
            cursor = page.next_cursor
            if turn < 8:
                moved.add(f"s{3 * turn:02}")
                await twin.sessions.update(f"s{3 * turn:02}", title=str(turn))
        stayed = first.keys() - moved
        assert {name: met[name, first[name]] for name in stayed} == dict.fromkeys(stayed, 1)
        assert max(met.values()) == 1

    @proves("READ-2")
    async def test_a_deleted_last_row_does_not_break_its_cursor(self, keep: Keep, twin: Keep) -> None:
        for n in range(6):
            await keep.sessions.create(f"s{n}")
        first = await keep.sessions.list(order="created_at", limit=3)
        await keep.sessions.delete(first.items[-1].id)
        for instance in (keep, twin, keep):
            rest = await instance.sessions.list(order="created_at", limit=3, cursor=first.next_cursor)
            assert ids(rest.items) == ["s3", "s4", "s5"]

    @proves("READ-2", "ISO-1")
    async def test_a_session_cursor_of_anything_else_is_refused(self, keep: Keep) -> None:
        for tenant in (keep, keep.for_tenant("other")):
            for n in range(4):
                await tenant.sessions.create(f"s{n}", user_id="u1", agent_name="a", metadata={"k": 1})
        await with_messages(keep, 4)
        cursor = await _cursor(keep.sessions.list(limit=2, user_id="u1"))
        assert len((await keep.sessions.list(limit=1, user_id="u1", cursor=cursor)).items) == 1
        others: list[tuple[View, dict[str, Any]]] = [
            (keep, {}),
            (keep, {"user_id": "u2"}),
            (keep, {"user_id": "u1", "order": "created_at"}),
            (keep, {"user_id": "u1", "agent_name": "a"}),
            (keep, {"user_id": "u1", "metadata": {"k": 1}}),
            (keep, {"user_id": "u1", "status": "active"}),
            (keep.for_user("u1"), {"user_id": "u1"}),
            (keep.for_tenant("other"), {"user_id": "u1"}),
        ]
        for view, query in others:
            with pytest.raises(InvalidInput):
                await view.sessions.list(limit=2, cursor=cursor, **query)
        messages_cursor = await _cursor(keep.messages.list("s", limit=2))
        garbage: list[Any] = ["", "x", "====", "é", "{}", "\x00", cursor[:-4], cursor + "AAAA", cursor * 2, 3, b"x"]
        for wrong in [*garbage, messages_cursor]:
            with pytest.raises(InvalidInput):
                await keep.sessions.list(limit=2, user_id="u1", cursor=wrong)

    @proves("READ-2", "ISO-1")
    async def test_a_message_cursor_of_anything_else_is_refused(self, keep: Keep) -> None:
        other = keep.for_tenant("other")
        for view, name in ((keep, "s"), (keep, "t"), (other, "s")):
            await view.sessions.create(name)
            await view.messages.append(name, numbered(5))
        cursor = await _cursor(keep.messages.list("s", limit=2))
        backwards = await _cursor(keep.messages.list("s", limit=2, newest_first=True))
        assert seqs((await keep.messages.list("s", cursor=cursor)).items) == [3, 4, 5]
        assert seqs((await keep.messages.list("s", cursor=backwards, newest_first=True)).items) == [3, 2, 1]
        for view, name in ((keep, "t"), (other, "s"), (keep.for_user("u"), "s")):
            with pytest.raises((InvalidInput, SessionNotFound)):
                await view.messages.list(name, cursor=cursor)
        for query in ({"after": 1}, {"before": 5}, {"newest_first": True}):
            with pytest.raises(InvalidInput):
                await keep.messages.list("s", cursor=cursor, **cast("Any", query))
        sessions = await _cursor(keep.sessions.list(limit=1))
        wrong: list[Any] = [backwards, sessions, "", "x", "3", "\x00", cursor[:-4], cursor * 2, -1, 1.0, True, b"3"]
        for bound in wrong:
            with pytest.raises(InvalidInput):
                await keep.messages.list("s", cursor=bound)
        for bound in [cursor, -1, 1.0, None, True, "1"]:
            with pytest.raises(InvalidInput):
                await keep.messages.list("s", after=bound)  # pyright: ignore[reportArgumentType]

    @proves("READ-1", "READ-2", "ORD-3")
    @pytest.mark.parametrize("newest_first", [False, True])
    async def test_message_pages_meet_each_once_while_the_log_changes(
        self, keep: Keep, twin: Keep, newest_first: bool
    ) -> None:
        await with_messages(keep, 50)
        page: Page[Message] = await keep.messages.list("s", limit=7, newest_first=newest_first)
        met = seqs(page.items)
        while page.has_more:
            await twin.messages.append("s", [said("new")])
            await twin.messages.update("s", "m25", content=f"seen {len(met)}")
            await twin.messages.trim("s", keep_last=50)
            page = await keep.messages.list("s", limit=7, newest_first=newest_first, cursor=page.next_cursor)
            met += seqs(page.items)
        assert met == sorted(met, reverse=newest_first)
        assert len(met) == len(set(met))
        assert set(range(10, 50)) <= set(met)


async def _cursor(page: Any) -> str:
    cursor = (await page).next_cursor
    assert cursor is not None
    return cursor
