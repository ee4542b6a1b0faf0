"""Reading: filters, ranges and tails, compared with what plain Python says of the same rows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from random import Random
from typing import Any

import pytest
from agentkeep import InvalidInput, Keep, NewMessage, Session
from agentkeep.sessions import Order
from msgspec.structs import replace

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.families.order_paging import ORDERS, all_pages
from agentkeep_conformance.samples import everything, ids, log, numbered, said, seqs

PEOPLE: list[dict[str, Any]] = [
    {"user_id": user, "agent_name": agent, "metadata": {"n": n, "even": n % 2 == 0, "name": f"x{n}"}}
    for n, (user, agent) in enumerate(product(["u1", "u2", None], ["sales", "support", None]))
]
"""Nine sessions, each of its own kind."""

METADATA: dict[str, Any] = {
    "text": "Blue",
    "int": 1,
    "float": 1.5,
    "big": 2**60 + 1,
    "yes": True,
    "no": False,
    "null": None,
    "zero": 0,
    "empty": "",
    "digits": "1",
    "long": "v" * 400,
    "k" * 300: "long key",
    "list": [1],
    "object": {"a": 1},
}
"""One session's metadata, to be filtered by."""

MATCHES: list[tuple[dict[str, Any], bool]] = [
    ({"text": "Blue"}, True),
    ({"text": "blue"}, False),
    ({"text": "Blu"}, False),
    ({"text": "Blue "}, False),
    ({"int": 1}, True),
    ({"int": 1.0}, True),
    ({"int": True}, False),
    ({"int": "1"}, False),
    ({"int": 2}, False),
    ({"float": 1.5}, True),
    ({"float": 1}, False),
    ({"big": 2**60 + 1}, True),
    ({"big": 2**60}, False),
    ({"yes": True}, True),
    ({"yes": 1}, False),
    ({"yes": "true"}, False),
    ({"no": False}, True),
    ({"no": None}, False),
    ({"no": 0}, False),
    ({"null": None}, True),
    ({"null": "null"}, False),
    ({"absent": None}, False),
    ({"zero": 0}, True),
    ({"zero": -0.0}, True),
    ({"zero": False}, False),
    ({"empty": ""}, True),
    ({"empty": None}, False),
    ({"digits": "1"}, True),
    ({"digits": 1}, False),
    ({"long": "v" * 400}, True),
    ({"long": "v" * 399}, False),
    ({"k" * 300: "long key"}, True),
    ({"k" * 299: "long key"}, False),
    ({"list": 1}, False),
    ({"object": "a"}, False),
    ({"a": 1}, False),
    ({"text": "Blue", "int": 1, "null": None}, True),
    ({"text": "Blue", "int": 2}, False),
]
"""Whether a session with METADATA has it."""

Format = Callable[[int, str], NewMessage]
"""A message that calls a tool, or holds the result of call `n`."""


def _openai(n: int, kind: str) -> NewMessage:
    if kind == "result":
        return NewMessage(role="tool", content="result", tool_call_id=f"c{n}")
    return NewMessage(role="assistant", tool_calls=[{"id": f"c{n}", "type": "function"}])


def _anthropic(n: int, kind: str) -> NewMessage:
    """A result is in a message of the user, which begins no turn."""
    block = {"type": "tool_result", "tool_use_id": f"c{n}"} if kind == "result" else {"type": "tool_use", "id": f"c{n}"}
    role = "user" if kind == "result" else "assistant"
    return NewMessage(role=role, content=[{"type": "text", "text": "x"}, block])


def _responses(n: int, kind: str) -> NewMessage:
    item = "function_call_output" if kind == "result" else "function_call"
    return NewMessage(role="user" if kind == "result" else "assistant", event={"type": item, "call_id": f"c{n}"})


FORMATS: dict[str, Format] = {"openai": _openai, "anthropic": _anthropic, "responses": _responses}


def turns(random: Random, size: int, form: Format, turn_ids: bool) -> list[tuple[NewMessage, bool]]:
    """A random log, and whether a turn begins at each message."""
    rows: list[tuple[NewMessage, bool]] = []
    turn = 0
    while len(rows) < size:
        turn += 1
        marked = f"t{turn}" if turn_ids and random.random() < 0.7 else None
        starter = said(f"ask {turn}") if marked is None or random.random() < 0.5 else form(turn, "call")
        messages = [starter]
        for n in range(random.choice([0, 1, 3, 20])):
            messages += [form(n, "call"), form(n, "result")]
            messages += [said("aside")] if marked is not None and random.random() < 0.2 else []
        rows += [(replace(message, turn_id=marked), n == 0) for n, message in enumerate(messages)]
    return rows


def whole_tail(rows: list[tuple[NewMessage, bool]], n: int) -> int:
    """How long the shortest tail of at least `n` is that begins at a turn's first message."""
    sizes = range(min(n, len(rows)), len(rows))
    return next((size for size in sizes if rows[len(rows) - size][1]), len(rows))


class Reading:
    @proves("READ-5", "READ-2", "ORD-5")
    @pytest.mark.parametrize("order", ORDERS)
    async def test_each_filter_and_each_pair_finds_just_its_sessions(self, keep: Keep, order: Order) -> None:
        sessions = [await keep.sessions.create(**fields) for fields in PEOPLE]
        sessions[2] = await keep.sessions.update(sessions[2].id, status="completed")
        sessions[5] = await keep.sessions.update(sessions[5].id, status="abandoned")
        sessions.append(await keep.sessions.create(parent_id=sessions[0].id))
        middle = sessions[4].updated_at
        filters: list[tuple[dict[str, Any], Callable[[Session], bool]]] = [
            ({"user_id": "u1"}, lambda row: row.user_id == "u1"),
            ({"agent_name": "sales"}, lambda row: row.agent_name == "sales"),
            ({"status": "active"}, lambda row: row.status == "active"),
            ({"status": "completed"}, lambda row: row.status == "completed"),
            ({"parent_id": sessions[0].id}, lambda row: row.parent_id == sessions[0].id),
            ({"metadata": {"even": True}}, lambda row: row.metadata.get("even") is True),
            ({"metadata": {"even": False, "n": 3}}, lambda row: row.metadata.get("n") == 3),
            ({"updated_after": middle}, lambda row: row.updated_at > middle),
            ({"updated_before": middle}, lambda row: row.updated_at < middle),
        ]
        rows = sorted(sessions, key=lambda row: (getattr(row, order.lstrip("-")), row.id.encode()))
        rows = rows[::-1] if order.startswith("-") else rows
        for (one, holds), (other, holds_too) in product(filters, filters):
            both = one | other
            if one.keys() == other.keys() and one != other:
                continue
            expected = [row for row in rows if holds(row) and holds_too(row)]
            assert await all_pages(keep.sessions.list, 2, order=order, **both) == expected
            if order == ORDERS[0]:
                assert await everything(keep.sessions.iterate(order=order, **both)) == expected
                assert await keep.sessions.count(**both) == len(expected)
                assert await keep.sessions.delete_many(dry_run=True, **both) == len(expected)

    @proves("READ-5", "FID-1")
    @pytest.mark.parametrize(("wanted", "found"), MATCHES, ids=lambda value: repr(value)[:40])
    async def test_a_metadata_filter_equals_to_the_letter(
        self, keep: Keep, twin: Keep, wanted: dict[str, Any], found: bool
    ) -> None:
        await keep.sessions.create("s", metadata=METADATA)
        await keep.sessions.create("other", metadata={"other": "Blue"})
        assert ids((await twin.sessions.list(metadata=wanted)).items) == (["s"] if found else [])
        assert await twin.sessions.count(metadata=wanted) == found
        await keep.sessions.update("s", metadata={"text": "Red"})
        assert await twin.sessions.count(metadata=wanted) == 0

    @proves("READ-5", "ERR-1")
    async def test_what_no_filter_can_be_is_refused(self, keep: Keep) -> None:
        await keep.sessions.create("s", metadata=METADATA)
        filters: list[Any] = [{"metadata": {"list": [1]}}, {"metadata": {"object": {"$ne": 1}}}, {"metadata": "x"}]
        filters += [{"metadata": {1: 1}}, {"metadata": {"a": float("nan")}}, {"status": "gone"}, {"titel": "x"}]
        for wrong in filters:
            for call in (keep.sessions.list, keep.sessions.count, keep.sessions.delete_many):
                with pytest.raises(InvalidInput):
                    await call(**wrong)
        for order in ("title", "id", "-", "", None, "updated_at desc"):
            with pytest.raises(InvalidInput):
                await keep.sessions.list(order=order)  # pyright: ignore[reportArgumentType]
        assert await keep.sessions.count() == 1

    @proves("READ-1", "ORD-3", "READ-3")
    async def test_every_window_of_a_log_with_gaps(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        await keep.messages.append("s", numbered(9))
        await keep.messages.append("s", numbered(4, start=10), truncate_after=6)
        await keep.messages.trim("s", keep_last=8)
        held = seqs(await log(keep, "s"))
        assert held == [3, 4, 5, 6, 10, 11, 12, 13]
        bounds = [0, 2, 3, 5, 6, 7, 9, 10, 13, 14, 99]
        for after, before, limit, newest in product(bounds, [None, *bounds], [1, 3, 8, 9], [False, True]):
            window = [seq for seq in held if seq > after and (before is None or seq < before)]
            expected = window[::-1] if newest else window
            page = await keep.messages.list("s", after=after, before=before, limit=limit, newest_first=newest)
            assert (seqs(page.items), page.has_more) == (expected[:limit], len(expected) > limit)

    @proves("READ-3", "ORD-1")
    async def test_a_tail_is_the_newest_oldest_first(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        assert await keep.messages.tail("s", 10) == []
        await keep.messages.append("s", numbered(30))
        messages = await log(keep, "s")
        for n in (1, 2, 29, 30, 31, 1_000):
            assert await keep.messages.tail("s", n) == messages[-n:]

    @proves("READ-4")
    @pytest.mark.parametrize("form", FORMATS)
    @pytest.mark.parametrize("turn_ids", [False, True], ids=["by role", "by turn id"])
    async def test_a_tail_of_whole_turns_is_the_shortest_that_begins_one(
        self, keep: Keep, form: str, turn_ids: bool
    ) -> None:
        random = Random(4)
        for round_ in range(6):
            rows = turns(random, random.choice([3, 12, 40]), FORMATS[form], turn_ids)
            await keep.sessions.create(f"s{round_}")
            await keep.messages.append(f"s{round_}", [message for message, _ in rows])
            messages = await log(keep, f"s{round_}")
            for n in range(1, len(rows) + 2):
                expected = messages[len(messages) - whole_tail(rows, n) :]
                assert await keep.messages.tail(f"s{round_}", n, whole_turns=True) == expected
                resumed = await keep.sessions.resume(f"s{round_}", tail=n)
                assert resumed.messages == expected
                assert await keep.messages.tail(f"s{round_}", n) == messages[-n:]
                assert resumed.session == await keep.sessions.get(f"s{round_}")

    @proves("READ-4")
    async def test_the_start_of_a_long_turn_is_still_found(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        steps = [NewMessage(role="assistant", content=f"step {n}") for n in range(1_350)]
        for start in range(0, len(steps), 500):
            first = [said("before"), said("first")] if start == 0 else []
            await keep.messages.append("s", [*first, *steps[start : start + 500]])
        assert seqs(await keep.messages.tail("s", 1, whole_turns=True)) == list(range(2, 1_353))
        assert seqs(await keep.messages.tail("s", 1_351, whole_turns=True)) == list(range(2, 1_353))
        assert seqs(await keep.messages.tail("s", 1_352, whole_turns=True)) == list(range(1, 1_353))
        assert seqs((await keep.sessions.resume("s", tail=3)).messages) == list(range(2, 1_353))
        assert len(await keep.messages.tail("s", 1)) == 1
        await keep.messages.trim("s", keep_last=200)
        assert len(await keep.messages.tail("s", 1, whole_turns=True)) == 200
