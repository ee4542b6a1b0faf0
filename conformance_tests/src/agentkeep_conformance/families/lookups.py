"""Reading many at once, a session with its tail, and logs in any direction and of any length."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import Any

import pytest
from agentkeep import InvalidInput, Keep, SessionNotFound

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.families.order_paging import with_messages
from agentkeep_conformance.families.ttl import SHORT, expired
from agentkeep_conformance.samples import at_once, ids, log, numbered, said, seqs


class Lookups:
    @proves("ORD-5", "ISO-1", "TTL-1")
    async def test_get_many_returns_the_living_ones_of_its_view_in_the_calls_order(
        self, keep: Keep, twin: Keep
    ) -> None:
        for name in ("a", "b", "c"):
            await keep.sessions.create(name, user_id="u1", metadata={"k": name})
        await keep.sessions.create("foreign", user_id="u2")
        await keep.for_tenant("other").sessions.create("theirs")
        await keep.sessions.create("gone", ttl=SHORT)
        await expired(keep, "gone")
        wanted = ["c", "never", "a", "theirs", "gone", "c", "foreign", "b"]
        found = await twin.sessions.get_many(wanted)
        assert list(found) == ["c", "a", "foreign", "b"]
        assert list(found.values()) == [await keep.sessions.get(name) for name in found]
        assert list(await twin.for_user("u1").sessions.get_many(wanted)) == ["c", "a", "b"]
        assert await twin.for_tenant("other").sessions.get_many(["a"]) == {}
        assert await twin.sessions.get_many([]) == {}
        with pytest.raises(InvalidInput):
            await twin.sessions.get_many(["a", ""])

    @proves("READ-1", "ORD-5")
    async def test_get_many_takes_more_than_any_page(self, keep: Keep) -> None:
        await at_once(keep.sessions.create(f"s{n}") for n in range(1_205))
        wanted = [f"s{n}" for n in reversed(range(1_300))]
        assert list(await keep.sessions.get_many(wanted)) == [f"s{n}" for n in reversed(range(1_205))]
        await keep.sessions.create("s")
        await keep.messages.append("s", numbered(1_000))
        await keep.messages.append("s", numbered(205, start=1_001))
        found = await keep.messages.get_many("s", [f"m{n}" for n in reversed(range(1, 1_300))])
        assert seqs(list(found.values())) == list(reversed(range(1, 1_206)))

    @proves("ORD-5", "ISO-1")
    async def test_messages_get_many_returns_those_that_the_session_holds(self, keep: Keep, twin: Keep) -> None:
        for name in ("s", "t"):
            await keep.sessions.create(name, user_id="u1")
            await keep.messages.append(name, numbered(5))
        await keep.messages.append("t", [said(id="only in t")])
        await keep.messages.truncate("s", after_seq=4)
        messages = await log(keep, "s")
        found = await twin.messages.get_many("s", ["m3", "m5", "only in t", "m1", "m3"])
        assert found == {"m3": messages[2], "m1": messages[0]}
        assert list(found) == ["m3", "m1"]
        assert await twin.messages.get_many("s", []) == {}
        for view, name in ((keep.for_user("u2"), "s"), (keep.for_tenant("other"), "s"), (keep, "never")):
            for wanted in (["m1"], []):
                with pytest.raises(SessionNotFound):
                    await view.messages.get_many(name, wanted)

    @proves("READ-3", "READ-4")
    async def test_resume_returns_the_session_and_its_tail(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s", state={"n": 1})
        empty = await twin.sessions.resume("s")
        assert (empty.session, empty.messages) == (await keep.sessions.get("s"), [])
        await keep.messages.append("s", numbered(70))
        session, messages = await twin.sessions.resume("s")
        assert session == await keep.sessions.get("s")
        assert messages == await keep.messages.tail("s", 50)
        for n in (1, 69, 70, 71, 1_000, 5_000):
            for whole_turns in (False, True):
                resumed = await twin.sessions.resume("s", tail=n, whole_turns=whole_turns)
                assert resumed.messages == await keep.messages.tail("s", n, whole_turns=whole_turns)

    @proves("ORD-1", "ORD-5", "CNT-1")
    async def test_resume_shows_one_moment_while_others_append(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        await keep.sessions.create("s")

        async def write() -> None:
            for n in range(rounds_of(database, 20)):
                await twin.messages.append("s", [said(), said()], update={"state": {"turn": n}}, add={"n": 1})

        writing = asyncio.create_task(write())
        while not writing.done():
            session, messages = await keep.sessions.resume("s", tail=10, whole_turns=False)
            assert seqs(messages) == list(range(max(1, session.last_seq - 9), session.last_seq + 1))
            assert session.message_count == session.last_seq == 2 * session.counters.get("n", 0)
            await asyncio.sleep(0)
        await writing

    @proves("READ-1", "READ-3")
    async def test_a_tail_may_be_of_any_length(self, keep: Keep) -> None:
        await with_messages(keep, 2_345)
        for n in (1_000, 1_001, 2_000, 2_344, 2_345, 2_346, 10**9):
            tail = await keep.messages.tail("s", n)
            assert seqs(tail) == list(range(max(1, 2_346 - n), 2_346))
        assert len((await keep.sessions.resume("s", tail=1_500, whole_turns=False)).messages) == 1_500
        for wrong in (0, -1, True, 1.0, "5", None):
            with pytest.raises(InvalidInput):
                await keep.messages.tail("s", wrong)  # pyright: ignore[reportArgumentType]

    @proves("READ-1", "ORD-3")
    async def test_iterating_forwards_and_backwards_between_any_bounds(self, keep: Keep, twin: Keep) -> None:
        await with_messages(keep, 1_205)
        await keep.messages.truncate("s", after_seq=1_200)
        await keep.messages.trim("s", keep_last=1_190)
        held = list(range(11, 1_201))
        for after, before, newest in product([0, 10, 11, 700, 1_200], [None, 1, 12, 700, 5_000], [False, True]):
            window = [seq for seq in held if seq > after and (before is None or seq < before)]
            found = [each async for each in twin.messages.iterate("s", after=after, before=before, newest_first=newest)]
            assert seqs(found) == (window[::-1] if newest else window)

    @proves("READ-2", "READ-1")
    @pytest.mark.parametrize("newest", [False, True])
    async def test_a_message_cursor_goes_on_between_its_bounds(self, keep: Keep, twin: Keep, newest: bool) -> None:
        await with_messages(keep, 30)
        query: Any = {"after": 4, "before": 25, "newest_first": newest}
        expected = list(range(5, 25))[:: -1 if newest else 1]
        for limit in (1, 7, 19, 20):
            met: list[int] = []
            cursor = None
            while True:
                page = await (keep, twin)[len(met) % 2].messages.list("s", limit=limit, cursor=cursor, **query)
                met += seqs(page.items)
                assert page.has_more == (page.next_cursor is not None)
                if page.next_cursor is None:
                    break
                cursor = page.next_cursor
            assert met == expected
        first = await keep.messages.list("s", limit=3, **query)
        rest = await keep.messages.list("s", limit=1_000, cursor=first.next_cursor, **query)
        assert seqs(rest.items) == expected[3:], "another limit is the same query"
        assert ids(first.items) == [f"m{seq}" for seq in expected[:3]]


class Redactions:
    @proves("SES-2", "IDEM-1")
    async def test_racing_redactions_of_one_message_all_stay(self, database: Database, keep: Keep, twin: Keep) -> None:
        for number in range(rounds_of(database, 8)):
            name = f"s{number}"
            await keep.sessions.create(name)
            await keep.messages.append(name, [said("secret", id="m"), said(id="other")])
            await asyncio.gather(
                keep.messages.update(name, "m", content="[removed]"),
                twin.messages.update(name, "m", name="n"),
                keep.messages.update(name, "m", metadata={"by": "ann"}),
                twin.messages.update(name, "m", turn_id="t"),
                keep.messages.update(name, "other", content="x"),
            )
            message = await twin.messages.get(name, "m")
            fields = (message.content, message.name, message.metadata, message.turn_id)
            assert fields == ("[removed]", "n", {"by": "ann"}, "t")
            assert (message.seq, (await keep.messages.get(name, "other")).content) == (1, "x")

    @proves("SES-4", "IDEM-1")
    async def test_a_redaction_never_brings_back_what_is_removed_at_once(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        for number in range(rounds_of(database, 8)):
            name = f"s{number}"
            await keep.sessions.create(name)
            await keep.messages.append(name, numbered(3))
            calls = [keep.messages.update(name, "m3", content="x"), twin.messages.truncate(name, after_seq=2)]
            await asyncio.gather(*calls, return_exceptions=True)
            assert ids(await log(keep, name)) == ["m1", "m2"]
            session = await twin.sessions.get(name)
            assert (session.message_count, session.last_seq) == (2, 3)
