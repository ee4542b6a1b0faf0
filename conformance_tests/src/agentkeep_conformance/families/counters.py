"""Counters: named integers of a session that add up, whoever adds at the same time (CNT-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from agentkeep import Conflict, InvalidInput, Keep, LimitExceeded

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.samples import numbered, said, whole

MOST = 2**53 - 1
NAMES = ["a", "0", "_", ".", "-", "input_tokens", "a.b-c_1", "n" * 64, "__proto__", "1e5", "-1", ".."]
NOT_NAMES: list[Any] = ["", "A", "é", "a b", "a:b", "n" * 65, "a\n", "a\x00", "$a", "a/b", 1, None]
NOT_AMOUNTS: list[Any] = [1.0, True, "1", None, [1], 10**400]


class Counters:
    @proves("CNT-2")
    async def test_adds_add_up_by_update_and_by_append(self, keep: Keep, twin: Keep) -> None:
        first = await keep.sessions.create("s")
        assert first.counters == {}
        updated = await keep.sessions.update("s", add={"a": 5, "b": -3})
        assert (updated.counters, updated.version) == ({"a": 5, "b": -3}, first.version + 1)
        appended = await twin.messages.append("s", numbered(2), add={"a": -7, "c": 0})
        session = await keep.sessions.get("s")
        assert session.counters == {"a": -2, "b": -3, "c": 0}
        assert (session.version, appended.version) == (updated.version, updated.version)
        both = await keep.sessions.update("s", title="t", add={"c": 1}, expected_version=session.version)
        assert (both.title, both.counters, both.version) == ("t", {"a": -2, "b": -3, "c": 1}, session.version + 1)
        assert both == await twin.sessions.get("s") == (await twin.sessions.list()).items[0]
        await keep.messages.append("s", [], add={"b": 3})
        assert (await twin.sessions.get("s")).counters == {"a": -2, "b": 0, "c": 1}

    @proves("CNT-2")
    async def test_counters_stay_exact_to_their_bounds(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s")
        await keep.sessions.update("s", add={"high": MOST - 1, "low": -MOST})
        await keep.messages.append("s", [said()], add={"high": 1})
        assert (await twin.sessions.get("s")).counters == {"high": MOST, "low": -MOST}
        before = await whole(keep, "s")
        for add in ({"high": 1}, {"low": -1}, {"new": 1, "high": 1}, {"high": MOST}, {"low": -MOST}):
            with pytest.raises(LimitExceeded) as caught:
                await keep.messages.append("s", [said()], add=add, update={"title": "t"})
            assert (caught.value.limit, abs(caught.value.actual) > MOST) == (MOST, True)
            with pytest.raises(LimitExceeded):
                await twin.sessions.update("s", add=add, title="t")
        with pytest.raises(LimitExceeded):
            await keep.sessions.update("s", add={"new": MOST + 1})
        assert await whole(keep, "s") == before
        await keep.sessions.update("s", add={"high": -MOST, "low": MOST})
        assert (await twin.sessions.get("s")).counters == {"high": 0, "low": 0}

    @proves("CNT-2")
    async def test_a_session_has_64_counters_at_most(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s")
        await keep.sessions.update("s", add={f"n{n}": n for n in range(60)})
        before = await whole(keep, "s")
        with pytest.raises(LimitExceeded) as caught:
            await keep.messages.append("s", [said()], add={f"m{n}": n for n in range(5)})
        assert (caught.value.limit, caught.value.actual) == (64, 65)
        with pytest.raises(LimitExceeded):
            await keep.sessions.update("s", add={f"m{n}": n for n in range(65)})
        assert await whole(keep, "s") == before
        await twin.messages.append("s", [said()], add={f"m{n}": n for n in range(4)} | {"n1": 1})
        assert len((await keep.sessions.update("s", add={"m1": 1, "n2": 1})).counters) == 64
        with pytest.raises(LimitExceeded):
            await keep.sessions.update("s", add={"one-more": 1})

    @proves("CNT-2", "ISO-2")
    async def test_each_legal_name_is_a_counter_of_its_own(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s")
        await keep.messages.append("s", [said()], add={name: n + 1 for n, name in enumerate(NAMES)})
        await twin.sessions.update("s", add=dict.fromkeys(NAMES, 100))
        assert (await keep.sessions.get("s")).counters == {name: n + 101 for n, name in enumerate(NAMES)}

    @proves("CNT-2", "ERR-1")
    async def test_what_is_no_counter_is_refused(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        before = await whole(keep, "s")
        wrong: list[Any] = [{name: 1} for name in NOT_NAMES] + [{"a": amount} for amount in NOT_AMOUNTS]
        wrong += [{"ok": 1, "A": 1}, ["a"], "a", 1]
        for add in wrong:
            with pytest.raises(InvalidInput):
                await keep.sessions.update("s", add=add)
            with pytest.raises(InvalidInput):
                await keep.messages.append("s", [said()], add=add)
        with pytest.raises(InvalidInput):
            await keep.sessions.update("s", add={})
        assert await whole(keep, "s") == before

    @proves("CNT-2", "IDEM-1", "IDEM-3", "ORD-6")
    async def test_an_addition_lands_with_its_append_once_or_not_at_all(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s")
        for _ in range(3):
            for instance in (keep, twin):
                await instance.messages.append("s", [said(id="a"), said(id="b")], add={"n": 1})
                await instance.messages.append("s", [said("other", id="a")], add={"n": 1}, stored="skip")
        assert (await keep.sessions.get("s")).counters == {"n": 1}
        refused: list[dict[str, Any]] = [
            {"expected_last_seq": 9},
            {"expected_version": 9},
            {"messages": [said("other", id="a")]},
            {"messages": [said(id="a"), said(id="c")]},
        ]
        for call in refused:
            whole_call: dict[str, Any] = {"messages": [said()], "add": {"n": 1}, **call}
            with pytest.raises(Conflict):
                await keep.messages.append("s", **whole_call)
        assert (await twin.sessions.get("s")).counters == {"n": 1}
        await keep.messages.append("s", [said(id="b"), said(id="c")], add={"n": 1}, stored="skip")
        assert (await twin.sessions.get("s")).counters == {"n": 2}

    @proves("CNT-2", "SES-4", "SES-5")
    async def test_a_fork_copies_counters_and_a_new_life_has_none(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s")
        await keep.messages.append("s", numbered(2), add={"n": 4})
        copy = await twin.sessions.fork("s", at_seq=1, new_id="copy")
        assert copy.counters == {"n": 4}
        await keep.sessions.update("copy", add={"n": 1, "m": 1})
        assert (await twin.sessions.get("s")).counters == {"n": 4}
        assert (await twin.sessions.get("copy")).counters == {"n": 5, "m": 1}
        await keep.sessions.delete("s")
        assert (await twin.sessions.create("s")).counters == {}
        await keep.messages.append("s", [said()], add={"n": 1})
        assert (await twin.sessions.get("s")).counters == {"n": 1}

    @proves("CNT-2", "ORD-4")
    async def test_concurrent_adds_are_all_counted_and_never_conflict(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        await keep.sessions.create("s")
        for round_ in range(1, 1 + rounds_of(database, 4)):
            calls: list[Coroutine[Any, Any, Any]] = []
            for n in range(10):
                instance = (keep, twin)[n % 2]
                calls.append(instance.messages.append("s", [said()], add={"turns": 1, f"w{n % 3}": n}))
                calls.append(instance.sessions.update("s", add={"turns": 10, "updates": 1}))
            await asyncio.gather(*calls)
            session = await keep.sessions.get("s")
            expected = {"turns": 110, "updates": 10, "w0": 18, "w1": 12, "w2": 15}
            assert session.counters == {name: amount * round_ for name, amount in expected.items()}
            assert session.message_count == 10 * round_
