"""A message's id is an idempotency key in its session (IDEM-1), in all that the clause says."""

from __future__ import annotations

from typing import Any

import pytest
from agentkeep import Appended, Conflict, InvalidInput, Keep, NewMessage
from msgspec.structs import replace

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.families.messages import FULL_MESSAGE, LONG_AGO, with_log
from agentkeep_conformance.samples import Verb, ids, log, numbered, said, seqs, whole

NEARLY: dict[str, tuple[NewMessage, NewMessage]] = {
    "text": (said("a"), said("b")),
    "case": (said("a"), said("A")),
    "trailing space": (said("a"), said("a ")),
    "composed against decomposed": (said("\u00e9"), said("e\u0301")),
    "role": (said("a"), NewMessage(role="tool", content="a")),
    "empty against none": (said(""), said(None)),
    "text against list": (said("a"), said(["a"])),
    "int against float": (said([1]), said([1.0])),
    "int against bool": (said([1]), said([True])),
    "zero against minus zero": (said([0.0]), said([-0.0])),
    "big ints": (said([2**70]), said([2**70 + 1])),
    "null against missing": (said([{"a": None}]), said([{}])),
    "order of keys": (said([{"a": 1, "b": 2}]), said([{"b": 2, "a": 1}])),
    "name": (said("a"), said("a", name="n")),
    "tool calls": (said("a"), said("a", tool_calls=[])),
    "event": (said("a", event={"x": 1}), said("a", event={"x": 2})),
    "metadata": (said("a"), said("a", metadata={"x": 1})),
    "turn": (said("a", turn_id="1"), said("a", turn_id="2")),
}
"""Two contents that are not the same."""

OPTIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "update": {"update": {"title": "first", "state": {"n": 1}}},
    "expected_version": {"expected_version": 1},
    "expected_last_seq": {"expected_last_seq": 5},
    "truncate_after": {"truncate_after": 3},
    "keep_last": {"keep_last": 4},
    "all": {
        "update": {"title": "first"},
        "expected_version": 1,
        "expected_last_seq": 5,
        "truncate_after": 3,
        "keep_last": 4,
    },
}
"""What an append to a session of last seq 5 may also ask; the version is filled in."""

REMOVALS: dict[str, Verb] = {
    "pop": lambda keep: keep.messages.pop("s"),
    "truncate": lambda keep: keep.messages.truncate("s", after_seq=4),
    "clear": lambda keep: keep.messages.clear("s"),
    "trim": lambda keep: keep.messages.trim("s", keep_last=0),
    "rewinding append": lambda keep: keep.messages.append("s", [said()], truncate_after=4),
    "rolling append": lambda keep: keep.messages.append("s", [said()], keep_last=1),
    "rewinding and rolling append": lambda keep: keep.messages.append("s", [said()], truncate_after=4, keep_last=3),
}
"""Ways by which m5, the newest of five, goes."""


def repeated(first: Appended) -> Appended:
    """What the same call returns again: nothing is new."""
    return Appended(first.messages, version=first.version, last_seq=first.last_seq, new=0)


class Idempotency:
    @proves("IDEM-1")
    @pytest.mark.parametrize("size", [1, 7, 1_000])
    async def test_appending_again_changes_nothing(self, keep: Keep, twin: Keep, size: int) -> None:
        await keep.sessions.create("s")
        stored = await keep.messages.append("s", numbered(size))
        await keep.messages.append("s", [said("later")])
        before = await whole(keep, "s")
        for instance in (keep, twin):
            assert await instance.messages.append("s", numbered(size)) == repeated(stored)
        assert await whole(keep, "s") == before

    @proves("IDEM-1")
    async def test_every_field_is_compared_but_the_time(self, keep: Keep) -> None:
        await with_log(keep, 1)
        stored = await keep.messages.append("s", [FULL_MESSAGE])
        again = replace(FULL_MESSAGE, created_at=LONG_AGO.replace(year=1999))
        assert await keep.messages.append("s", [again]) == repeated(stored)
        assert await keep.messages.append("s", [replace(FULL_MESSAGE, created_at=None)]) == repeated(stored)

    @proves("IDEM-1", "FID-1")
    @pytest.mark.parametrize("difference", NEARLY)
    async def test_other_content_conflicts(self, keep: Keep, twin: Keep, difference: str) -> None:
        one, other = (replace(message, id="m") for message in NEARLY[difference])
        await with_log(keep, 2)
        stored = await keep.messages.append("s", [one])
        before = await whole(keep, "s")
        with pytest.raises(Conflict) as caught:
            await twin.messages.append("s", [other])
        assert caught.value.kind == "message_id"
        assert await whole(keep, "s") == before
        assert await twin.messages.append("s", [one]) == repeated(stored)

    @proves("IDEM-1", "ORD-6")
    @pytest.mark.parametrize("options", OPTIONS)
    async def test_a_whole_call_repeated_returns_what_the_first_did(self, keep: Keep, twin: Keep, options: str) -> None:
        before = await with_log(keep)
        call = dict(OPTIONS[options])
        if "expected_version" in call:
            call["expected_version"] = before.version
        first = await keep.messages.append("s", [said("a", id="a"), said("b", id="b")], **call)
        after_first = await whole(keep, "s")
        assert await twin.messages.append("s", [said("a", id="a"), said("b", id="b")], **call) == repeated(first)
        assert await whole(keep, "s") == after_first
        await keep.messages.append("s", [said("later")], update={"title": "moved on"})
        moved_on = await whole(keep, "s")
        assert await keep.messages.append("s", [said("a", id="a"), said("b", id="b")], **call) == repeated(first)
        assert await whole(keep, "s") == moved_on

    @proves("IDEM-1", "ORD-2")
    async def test_a_batch_stored_in_part_conflicts_and_lands_nothing(self, keep: Keep) -> None:
        await with_log(keep, 3)
        before = await whole(keep, "s")
        parts = [
            [*numbered(3), said("new", id="new")],
            [said("new", id="new"), *numbered(1)],
            [said("new"), *numbered(1)],
            [said("new", id="new"), *numbered(1), said("newer", id="newer")],
        ]
        for batch in parts:
            with pytest.raises(Conflict) as caught:
                await keep.messages.append("s", batch)
            assert caught.value.kind == "batch"
        assert await whole(keep, "s") == before

    @proves("IDEM-1")
    async def test_an_id_twice_in_one_batch_is_refused(self, keep: Keep) -> None:
        await with_log(keep, 1)
        before = await whole(keep, "s")
        for again in (said("a", id="x"), said("b", id="x")):
            with pytest.raises(InvalidInput):
                await keep.messages.append("s", [said("a", id="x"), said("between"), again])
        assert await whole(keep, "s") == before

    @proves("IDEM-1", "ORD-1")
    @pytest.mark.parametrize("removal", REMOVALS)
    async def test_a_removed_messages_id_is_free_again(self, keep: Keep, twin: Keep, removal: str) -> None:
        await with_log(keep)
        await REMOVALS[removal](keep)
        last_seq = (await keep.sessions.get("s")).last_seq
        [stored] = await twin.messages.append("s", [said("other", id="m5")])
        assert (stored.seq, stored.content) == (last_seq + 1, "other")
        assert await keep.messages.get("s", "m5") == stored
        assert ids(await log(keep, "s")).count("m5") == 1

    @proves("IDEM-1", "ORD-6")
    async def test_ids_are_looked_at_before_the_rewind_of_the_same_call(self, keep: Keep) -> None:
        await with_log(keep)
        before = await whole(keep, "s")
        assert seqs(await keep.messages.append("s", numbered(1, start=5), truncate_after=2)) == [5]
        with pytest.raises(Conflict):
            await keep.messages.append("s", [said("other", id="m5")], truncate_after=2)
        assert await whole(keep, "s") == before

    @proves("IDEM-1", "ISO-1")
    async def test_one_id_in_two_sessions_and_tenants_is_two_messages(self, keep: Keep) -> None:
        other = keep.for_tenant("other")
        for view, session_id in ((keep, "a"), (keep, "b"), (other, "a")):
            await view.sessions.create(session_id)
            [stored] = await view.messages.append(session_id, [said(f"in {session_id}", id="m")])
            assert (stored.seq, stored.session_id) == (1, session_id)
        await other.messages.update("a", "m", content="theirs")
        assert (await keep.messages.get("a", "m")).content == "in a"
        assert (await keep.messages.get("b", "m")).content == "in b"

    @proves("IDEM-1")
    async def test_equal_content_under_another_id_is_another_message(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        for id in ("a", "b", None, None):
            await keep.messages.append("s", [said("yes", id=id)])
        assert seqs(await keep.messages.append("s", [said("yes")] * 2)) == [5, 6]

    @proves("IDEM-1")
    async def test_a_redacted_message_is_not_what_was_appended(self, keep: Keep) -> None:
        await with_log(keep, 1)
        await keep.messages.update("s", "m1", content="[redacted]")
        with pytest.raises(Conflict):
            await keep.messages.append("s", numbered(1))
        assert (await keep.messages.append("s", [said("[redacted]", id="m1")]))[0].seq == 1
