"""Messages: appended in one order, all or none, cut at both ends, with exact counters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from agentkeep import Conflict, InvalidInput, Keep, MessageNotFound, NewMessage, Session, View
from msgspec.structs import asdict

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.samples import HandClock, Verb, ids, log, numbered, said, seqs, whole

LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, 789_012, tzinfo=UTC)

FULL_MESSAGE = NewMessage(
    role="assistant",
    content=[{"type": "text", "text": "Let me look."}, {"type": "image", "url": "data:,"}],
    id="full",
    name="Ada",
    user_id="u1",
    tool_calls=[{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": "x"}'}}],
    tool_call_id="c0",
    turn_id="t1",
    route="billing",
    step="two",
    event={"type": "message", "raw": [1, 2.5, None]},
    metadata={"tokens": 12},
    created_at=LONG_AGO,
)
"""A message with every field set."""

REPLACEMENTS: dict[str, Any] = {
    "role": "system",
    "content": "[redacted]",
    "name": "Bob",
    "user_id": "u2",
    "tool_calls": None,
    "tool_call_id": "c9",
    "turn_id": "t9",
    "route": None,
    "step": "three",
    "event": None,
    "metadata": {},
}
"""Another value for each field that `messages.update` takes."""

CUTS: dict[str, Verb] = {
    "append": lambda keep: keep.messages.append("s", [said("x")]),
    "append of many": lambda keep: keep.messages.append("s", [said("x"), said("y", created_at=LONG_AGO)]),
    "append and rewind": lambda keep: keep.messages.append("s", [said("x")], truncate_after=3),
    "append and roll": lambda keep: keep.messages.append("s", [said("x")], keep_last=2),
    "append, rewind and roll": lambda keep: keep.messages.append("s", [said("x")], truncate_after=4, keep_last=3),
    "rewind alone": lambda keep: keep.messages.append("s", [], truncate_after=2),
    "roll alone": lambda keep: keep.messages.append("s", [], keep_last=1),
    "truncate": lambda keep: keep.messages.truncate("s", after_seq=3),
    "truncate nothing": lambda keep: keep.messages.truncate("s", after_seq=99),
    "truncate all": lambda keep: keep.messages.truncate("s", after_seq=0),
    "trim": lambda keep: keep.messages.trim("s", keep_last=2),
    "trim nothing": lambda keep: keep.messages.trim("s", keep_last=99),
    "trim all": lambda keep: keep.messages.trim("s", keep_last=0),
    "pop": lambda keep: keep.messages.pop("s"),
    "clear": lambda keep: keep.messages.clear("s"),
    "update of the newest": lambda keep: keep.messages.update("s", "m5", content="x"),
}
"""Every way to change the log of session "s", which holds m1 to m5."""

STALE: dict[str, dict[str, Any]] = {
    "version": {"expected_version": 7},
    "last seq": {"expected_last_seq": 1},
    "last seq, version right": {"expected_last_seq": 4, "expected_version": 1},
    "version, last seq right": {"expected_last_seq": 3, "expected_version": 2},
    "an id that is stored": {"messages": [said("new"), said("other", id="m2")]},
}
"""Appends to a session of version 1 and last seq 3 that must conflict."""


async def with_log(keep: View, count: int = 5) -> Session:
    await keep.sessions.create("s")
    await keep.messages.append("s", numbered(count))
    return await keep.sessions.get("s")


class Messages:
    @proves("ORD-1", "ORD-5", "FID-3")
    async def test_append_returns_what_every_reader_then_gets(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s")
        [stored] = await keep.messages.append("s", [FULL_MESSAGE])
        assert asdict(stored) == asdict(FULL_MESSAGE) | {"session_id": "s", "seq": 1}
        for instance in (keep, twin):
            assert await instance.messages.get("s", "full") == stored
            assert await log(instance, "s") == await instance.messages.tail("s", 1) == [stored]

    @proves("ORD-1")
    async def test_ids_and_times_are_filled_in(self, keep: Keep) -> None:
        session = await keep.sessions.create("s")
        messages = await keep.messages.append("s", [NewMessage(role="user")] * 3)
        assert len(set(ids(messages))) == 3
        assert all(message.created_at >= session.created_at for message in messages)
        assert {message.created_at.utcoffset() for message in messages} == {timedelta(0)}
        assert (messages[0].content, messages[0].tool_calls, messages[0].metadata) == (None, None, {})

    @proves("ORD-1", "ORD-3")
    async def test_seqs_are_dense_through_two_instances(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s")
        given: list[int] = []
        for count in (1, 3, 1, 2):
            given += seqs(await keep.messages.append("s", [said()] * count))
            given += seqs(await twin.messages.append("s", [said()]))
            page = await twin.messages.list("s", after=given[-1] - 1)
            assert seqs(page.items) == given[-1:]
        assert given == list(range(1, 12)) == seqs(await log(keep, "s"))

    @proves("ORD-1")
    @pytest.mark.parametrize("step", [0, -1], ids=["one instant", "going back"])
    async def test_order_is_of_the_append_whatever_the_times_say(self, keep: Keep, step: int) -> None:
        await keep.sessions.create("s")
        texts = [f"text {n}" for n in range(300)]
        for start in range(0, 300, 100):
            times = [LONG_AGO + timedelta(seconds=step * n) for n in range(start, start + 100)]
            batch = [said(text, created_at=at) for text, at in zip(texts[start:], times, strict=False)]
            await keep.messages.append("s", batch)
        assert [message.content for message in await log(keep, "s")] == texts
        assert [message.content for message in await keep.messages.tail("s", 7)] == texts[-7:]
        session = await keep.sessions.get("s")
        assert session.last_message_at == LONG_AGO + timedelta(seconds=step * 299)

    @proves("ORD-1")
    async def test_a_removed_seq_is_never_given_again(self, keep: Keep) -> None:
        await with_log(keep, 3)
        for last, cut in enumerate(("pop", "truncate all", "trim all", "clear"), 4):
            await CUTS[cut](keep)
            assert (await keep.sessions.get("s")).last_seq == last - 1
            assert seqs(await keep.messages.append("s", [said()])) == [last]

    @proves("ORD-2")
    async def test_a_batch_is_adjacent_in_the_given_order(self, keep: Keep) -> None:
        await with_log(keep, 2)
        stored = await keep.messages.append("s", numbered(100, start=3))
        assert seqs(stored) == list(range(3, 103))
        assert (await log(keep, "s"))[2:] == list(stored)
        assert [message.content for message in stored] == [f"text {n}" for n in range(3, 103)]

    @proves("ORD-2", "FID-2")
    async def test_one_bad_message_keeps_its_whole_batch_out(self, keep: Keep) -> None:
        await with_log(keep, 3)
        before = await whole(keep, "s")
        bad: list[Any] = [said("\ud800"), said(float("nan")), said([b"bytes"]), said(id=""), {"role": "user"}, None]
        for message in bad:
            with pytest.raises(InvalidInput):
                await keep.messages.append("s", [said("a"), message, said("b")])
        for wrong in (said(), "text", {"role": "user"}):
            with pytest.raises(InvalidInput):
                await keep.messages.append("s", cast("Any", wrong))
        assert await whole(keep, "s") == before

    @proves("ORD-6", "SES-2")
    async def test_all_parts_of_one_append_land_together(self, keep: Keep, twin: Keep) -> None:
        before = await with_log(keep)
        stored = await keep.messages.append(
            "s",
            [said("new 1"), said("new 2")],
            update={
                "title": "t",
                "state": {"a": 1},
                "metadata": {"k": 1},
                "status": "completed",
                "current_route": "r",
                "current_step": "p",
                "agent_name": "a",
                "schema_version": 2,
            },
            expected_version=before.version,
            expected_last_seq=5,
            truncate_after=3,
            keep_last=4,
        )
        assert seqs(stored) == [6, 7]
        after, messages = await whole(twin, "s")
        assert seqs(messages) == [2, 3, 6, 7]
        assert (after.title, after.state, after.metadata, after.status) == ("t", {"a": 1}, {"k": 1}, "completed")
        assert (after.current_route, after.current_step, after.agent_name, after.schema_version) == ("r", "p", "a", 2)
        assert (after.version, after.message_count, after.last_seq) == (before.version + 1, 4, 7)
        assert (stored.version, stored.last_seq, stored.new) == (after.version, 7, 2)
        assert after.completed_at is not None
        assert after.created_at == before.created_at
        assert await twin.sessions.count(metadata={"k": 1}) == 1

    @proves("ORD-6", "ORD-4", "ORD-2", "IDEM-1")
    @pytest.mark.parametrize("stale", STALE)
    async def test_of_an_append_that_conflicts_nothing_lands(self, keep: Keep, twin: Keep, stale: str) -> None:
        await with_log(keep, 3)
        before = await whole(keep, "s")
        call: dict[str, Any] = {"messages": [said("x"), said("y")]} | STALE[stale]
        with pytest.raises(Conflict):
            await twin.messages.append(
                "s", **call, update={"title": "t", "metadata": {"k": 1}}, truncate_after=1, keep_last=2
            )
        assert await whole(keep, "s") == before
        assert await keep.sessions.count(metadata={"k": 1}) == 0

    @proves("ORD-4")
    async def test_a_conflict_says_what_was_expected_and_found(self, keep: Keep) -> None:
        version = (await with_log(keep, 3)).version
        with pytest.raises(Conflict) as caught:
            await keep.messages.append("s", [said()], expected_last_seq=2)
        assert (caught.value.kind, caught.value.expected, caught.value.actual) == ("last_seq", 2, 3)
        with pytest.raises(Conflict) as caught:
            await keep.messages.append("s", [said()], expected_version=9)
        assert (caught.value.kind, caught.value.expected, caught.value.actual) == ("version", 9, version)
        assert seqs(await keep.messages.append("s", [said()], expected_last_seq=3, expected_version=version)) == [4]

    @proves("CNT-1")
    @pytest.mark.parametrize("cut", CUTS)
    async def test_counters_are_exact_after_each_change(self, keep: Keep, twin: Keep, cut: str) -> None:
        before = await with_log(keep)
        told = await CUTS[cut](keep)
        session, messages = await whole(twin, "s")
        newest = messages[-1] if messages else None
        assert session.message_count == len(messages) == await keep.messages.count("s")
        assert session.last_message_at == (newest and newest.created_at)
        assert session.last_seq == max([5, *seqs(messages)])
        assert session.updated_at >= before.updated_at
        held = await keep.messages.get_many("s", [*(f"m{n}" for n in range(1, 6)), *ids(messages)])
        assert list(held.values()) == messages, "an id finds what the log does not hold"
        if isinstance(told, int):
            assert told == 5 - len(messages)

    @proves("CNT-1", "TTL-1")
    @pytest.mark.parametrize("cut", CUTS)
    async def test_updated_at_is_the_time_of_the_change(self, database: Database, keep: Keep, cut: str) -> None:
        if keep.capabilities.server_clock:
            before = await with_log(keep)
            await CUTS[cut](keep)
            assert (await keep.sessions.get("s")).updated_at > before.updated_at
            return
        clock = HandClock()
        timed = await database.keep(clock=clock)
        before = await with_log(timed)
        assert before.created_at == before.updated_at == before.last_message_at == clock.now
        clock.move(microseconds=1)
        await CUTS[cut](timed)
        assert (await timed.sessions.get("s")).updated_at == clock.now
        clock.move(hours=-1)
        await CUTS["append"](timed)
        assert (await timed.sessions.get("s")).updated_at == clock.now + timedelta(hours=1)

    @proves("CNT-1", "ORD-1")
    async def test_what_each_cut_leaves_and_says(self, keep: Keep, twin: Keep) -> None:
        await with_log(keep, 9)
        assert await keep.messages.truncate("s", after_seq=7) == 2
        assert await twin.messages.trim("s", keep_last=5) == 2
        popped = await keep.messages.pop("s")
        assert popped is not None
        assert (popped.id, popped.seq, popped.content) == ("m7", 7, "text 7")
        assert ids(await log(twin, "s")) == ["m3", "m4", "m5", "m6"]
        assert await keep.messages.clear("s") == 4
        assert await keep.messages.clear("s") == await keep.messages.trim("s", keep_last=1) == 0
        assert await keep.messages.pop("s") is None
        assert await keep.messages.truncate("s", after_seq=0) == 0

    @proves("ORD-6", "ORD-1")
    async def test_rewind_and_append_in_one_goes_on_counting(self, keep: Keep) -> None:
        await with_log(keep)
        assert seqs(await keep.messages.append("s", [said()], truncate_after=2)) == [6]
        assert seqs(await log(keep, "s")) == [1, 2, 6]
        assert seqs(await keep.messages.append("s", [said()], truncate_after=0)) == [7]
        assert list(await keep.messages.append("s", [], truncate_after=0)) == []
        assert await log(keep, "s") == []
        assert (await keep.sessions.get("s")).last_seq == 7

    @proves("SES-2", "CNT-1")
    @pytest.mark.parametrize("field", REPLACEMENTS)
    async def test_redaction_replaces_one_field_and_keeps_the_rest(self, keep: Keep, twin: Keep, field: str) -> None:
        await with_log(keep, 2)
        [before, _] = await keep.messages.append("s", [FULL_MESSAGE, said(id="newest")])
        after = await keep.messages.update("s", "full", **{field: REPLACEMENTS[field]})
        assert asdict(after) == asdict(before) | {field: REPLACEMENTS[field]}
        assert (await log(twin, "s"))[2] == await twin.messages.get("s", "full") == after
        assert ids(await log(twin, "s")) == ["m1", "m2", "full", "newest"]

    @proves("ERR-1")
    async def test_redaction_of_what_cannot_be_is_refused(self, keep: Keep) -> None:
        await with_log(keep, 2)
        before = await whole(keep, "s")
        with pytest.raises(MessageNotFound) as caught:
            await keep.messages.update("s", "nobody", content="x")
        assert (caught.value.session_id, caught.value.message_id) == ("s", "nobody")
        with pytest.raises(MessageNotFound):
            await keep.messages.get("s", "nobody")
        wrong: list[dict[str, Any]] = [{}, {"seq": 9}, {"session": "x"}, {"created_at": LONG_AGO}, {"content": 1}]
        for fields in wrong:
            with pytest.raises(InvalidInput):
                await keep.messages.update("s", "m1", **fields)
        assert await whole(keep, "s") == before
