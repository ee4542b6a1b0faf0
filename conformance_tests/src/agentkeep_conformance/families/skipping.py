"""`stored="skip"`: what the session holds already is left out, and the rest lands (IDEM-3)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agentkeep import Appended, Conflict, Keep, MessageNotFound

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.families.messages import with_log
from agentkeep_conformance.samples import ids, log, numbered, said, seqs, whole

EFFECTS: dict[str, dict[str, Any]] = {
    "update": {"update": {"title": "t", "metadata": {"k": 1}}},
    "add": {"add": {"n": 1}},
    "truncate_after": {"truncate_after": 1},
    "keep_last": {"keep_last": 3},
    "expected_version": {"expected_version": 9},
    "expected_last_seq": {"expected_last_seq": 9},
    "create": {"create": {"title": "other"}},
}
"""What else an append may do or ask, none of which happens if no message is new."""


class Skipping:
    @proves("IDEM-3", "ORD-2")
    async def test_only_what_is_new_of_an_overlapping_batch_lands(self, keep: Keep, twin: Keep) -> None:
        before = await with_log(keep, 5)
        messages = await log(keep, "s")
        batch = [said("changed", id="m5"), said("new 1", id="n1"), *numbered(2, start=3), said("new 2")]
        stored = await twin.messages.append("s", batch, stored="skip")
        assert (stored.new, stored.last_seq, stored.version) == (2, 7, before.version)
        assert [stored[0], *stored[2:4]] == [messages[4], messages[2], messages[3]]
        assert seqs(stored) == [5, 6, 3, 4, 7]
        assert await log(keep, "s") == [*messages, stored[1], stored[4]]
        session = await keep.sessions.get("s")
        assert (session.message_count, session.last_seq) == (7, 7)

    @proves("IDEM-3", "IDEM-1")
    @pytest.mark.parametrize("effect", EFFECTS)
    async def test_if_nothing_is_new_nothing_else_happens(self, keep: Keep, twin: Keep, effect: str) -> None:
        await with_log(keep, 5)
        before = await whole(keep, "s")
        batch = [said("changed", id="m4"), said("changed too", id="m2")]
        stored = await twin.messages.append("s", batch, stored="skip", **EFFECTS[effect])
        assert list(stored) == [before[1][3], before[1][1]]
        assert stored.new == 0
        assert await whole(keep, "s") == before
        assert await keep.sessions.count(metadata={"k": 1}) == 0

    @proves("IDEM-3", "ORD-6")
    @pytest.mark.parametrize("cut", [{"keep_last": 3}, {"truncate_after": 0}])
    async def test_what_the_call_itself_removes_is_in_its_result(self, keep: Keep, cut: dict[str, Any]) -> None:
        await with_log(keep, 5)
        first = await keep.messages.get("s", "m1")
        stored = await keep.messages.append("s", [*numbered(1), said("a"), said("b")], stored="skip", **cut)
        assert (stored[0], seqs(stored), stored.new) == (first, [1, 6, 7], 2)
        with pytest.raises(MessageNotFound):
            await keep.messages.get("s", "m1")

    @proves("IDEM-3", "ORD-6")
    async def test_with_one_new_message_all_else_happens(self, keep: Keep, twin: Keep) -> None:
        before = await with_log(keep, 5)
        stored = await keep.messages.append(
            "s",
            [*numbered(2, start=4), said("new", id="n")],
            stored="skip",
            update={"title": "t"},
            add={"n": 1},
            keep_last=3,
            expected_last_seq=5,
            expected_version=before.version,
        )
        assert (seqs(stored), stored.new, stored.version) == ([4, 5, 6], 1, before.version + 1)
        session = await twin.sessions.get("s")
        assert (session.title, session.counters, session.message_count) == ("t", {"n": 1}, 3)
        assert ids(await log(twin, "s")) == ["m4", "m5", "n"]

    @proves("IDEM-3", "ORD-4")
    async def test_a_stale_writer_with_something_new_lands_nothing(self, keep: Keep) -> None:
        await with_log(keep, 3)
        before = await whole(keep, "s")
        for stale in ({"expected_version": 9}, {"expected_last_seq": 2}):
            call: dict[str, Any] = {"stored": "skip", "add": {"n": 1}, **stale}
            with pytest.raises(Conflict):
                await keep.messages.append("s", [*numbered(1), said("new")], **call)
        assert await whole(keep, "s") == before

    @proves("IDEM-3", "IDEM-1")
    async def test_a_removed_id_is_new_again_and_no_id_is_always_new(self, keep: Keep, twin: Keep) -> None:
        await with_log(keep, 4)
        await keep.messages.truncate("s", after_seq=2)
        stored = await twin.messages.append("s", numbered(4), stored="skip")
        assert (seqs(stored), stored.new) == ([1, 2, 5, 6], 2)
        again = [await twin.messages.append("s", [said("same")], stored="skip") for _ in range(2)]
        assert [result.new for result in again] == [1, 1]
        nothing = await keep.messages.append("s", [], stored="skip", update={"title": "t"})
        assert (list(nothing), nothing.new) == ([], 0)
        assert (await twin.sessions.get("s")).title == "t"

    @proves("IDEM-3")
    async def test_a_repeated_skip_returns_the_same_messages(self, keep: Keep, twin: Keep) -> None:
        await with_log(keep, 3)
        batch = [*numbered(3), said("new", id="n1"), said("new", id="n2")]
        first = await keep.messages.append("s", batch, stored="skip", update={"title": "t"})
        await keep.messages.append("s", [said("later")], update={"title": "u"})
        before = await whole(keep, "s")
        again = await twin.messages.append("s", batch, stored="skip", update={"title": "t"})
        assert again == Appended(first.messages, version=first.version, last_seq=first.last_seq, new=0)
        assert await whole(keep, "s") == before

    @proves("IDEM-3", "ORD-2")
    async def test_a_large_history_is_sent_again_with_one_new_message(self, keep: Keep, twin: Keep) -> None:
        await with_log(keep, 999)
        stored = await twin.messages.append("s", numbered(1_000), stored="skip")
        assert (seqs(stored), stored.new) == (list(range(1, 1_001)), 1)
        assert await keep.messages.count("s") == 1_000

    @proves("IDEM-3", "ORD-2", "ORD-4")
    async def test_racing_overlapping_batches_land_each_message_once(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        await keep.sessions.create("s")
        for round_ in range(rounds_of(database, 4)):
            start = 20 * round_ + 1
            batches = [numbered(8, start=start + 2 * n) for n in range(6)] * 2
            calls = [(keep, twin)[n % 2].messages.append("s", each, stored="skip") for n, each in enumerate(batches)]
            found = await asyncio.gather(*calls)
            held = {message.id: message for message in await log(keep, "s")}
            for batch, stored in zip(batches, found, strict=True):
                assert list(stored) == [held[message.id or ""] for message in batch]
            assert sum(stored.new for stored in found) == 18
            assert sorted(message.seq for message in held.values()) == list(range(1, 18 * (round_ + 1) + 1))
