"""Small promises, each with a plain test of its own, so that none depends on what random programs happen to do."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import Conflict, Keep, NewMessage
from msgspec.structs import replace

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.isolation import try_verb
from agentkeep_conformance.families.lifecycle import VERBS
from agentkeep_conformance.families.messages import LONG_AGO
from agentkeep_conformance.families.ttl import HOUR, ROUNDING
from agentkeep_conformance.samples import Verb, everything, log, numbered, said, seqs, whole

CUTS: dict[str, Verb] = {
    "pop": lambda keep: keep.messages.pop("s"),
    "truncate": lambda keep: keep.messages.truncate("s", after_seq=3),
    "truncate to the first": lambda keep: keep.messages.truncate("s", after_seq=1),
    "trim": lambda keep: keep.messages.trim("s", keep_last=2),
    "trim to the last": lambda keep: keep.messages.trim("s", keep_last=1),
    "clear": lambda keep: keep.messages.clear("s"),
    "append": lambda keep: keep.messages.append("s", _out_of_order([0, 1])),
    "rewinding append": lambda keep: keep.messages.append("s", _out_of_order([1]), truncate_after=2),
    "rolling append": lambda keep: keep.messages.append("s", _out_of_order([0]), keep_last=2),
    "rewind": lambda keep: keep.messages.append("s", [], truncate_after=4),
    "redaction": lambda keep: keep.messages.update("s", "m1", content="-"),
    "update": lambda keep: keep.sessions.update("s", title="t"),
}

STALE: dict[str, dict[str, Any]] = {
    "nothing else": {},
    "an update": {"update": {"title": "new"}},
    "a counter": {"add": {"n": 1}},
    "a rewind": {"truncate_after": 1},
    "a rolling window": {"keep_last": 1},
    "create": {"create": {"title": "new"}},
    "skip": {"stored": "skip"},
}

# fmt: off
TOOL_CALLS: dict[str, Any] = {
    "none": None,
    "an empty list": [],
    "an empty call": [{}],
    "a call of a function": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
    "arguments as an object": [{"id": "c", "name": "f", "args": {"a": {"b": [1, 1.0, None, ""]}}}],
    "several calls": [{"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": ""}} for n in (2, 1)],
    "keys in another order": [{"type": "tool_use", "name": "f", "input": {"z": 1, "a": 2}, "id": "c"}],
    "unknown keys": [{"id": "c", "index": 0, "extra": {"$ref": "a.b"}, "provider_specific": None}],
}
# fmt: on


def _out_of_order(days: list[int]) -> list[NewMessage]:
    """Messages of which each has a caller's time."""
    return [said(f"day {day}", created_at=LONG_AGO + timedelta(days=day)) for day in days]


class PlainRules:
    @proves("ISO-1")
    async def test_a_session_of_nobody_is_in_no_users_view(self, keep: Keep, twin: Keep) -> None:
        for name in ("s", "t"):
            await keep.sessions.create(name, agent_name="a", title="canary", metadata={"k": "canary"})
            await keep.messages.append(name, [said("canary x", id="m"), said("canary x")])
        before = [await whole(keep, name) for name in ("s", "t")]
        for verb in VERBS:
            assert "canary" not in await try_verb(twin.for_user("u"), verb), verb
            assert [await whole(keep, name) for name in ("s", "t")] == before, verb
        shown = await everything(twin.for_user("u").sessions.iterate())
        assert {session.user_id for session in shown} <= {"u"}

    @proves("TTL-3")
    @pytest.mark.parametrize("way", ["update", "append"])
    async def test_an_idle_time_that_is_set_late_counts_from_then(self, keep: Keep, twin: Keep, way: str) -> None:
        await keep.sessions.create("s")
        await keep.messages.append("s", numbered(2))
        await asyncio.sleep(0.2)
        if way == "update":
            await keep.sessions.update("s", idle_ttl=HOUR)
        else:
            await keep.messages.append("s", [], update={"idle_ttl": HOUR})
        for use in (None, "append", "touch"):
            if use is not None:
                await asyncio.sleep(0.05)
            if use == "append":
                await twin.messages.append("s", [said()])
            elif use == "touch":
                await twin.sessions.touch("s")
            session = await twin.sessions.get("s")
            assert session.idle_ttl == HOUR
            assert session.expires_at is not None
            assert abs(session.expires_at - session.updated_at - HOUR) < ROUNDING, use

    @proves("IDEM-1")
    @pytest.mark.parametrize("place", range(4))
    async def test_each_message_of_a_repeated_batch_is_compared(self, keep: Keep, twin: Keep, place: int) -> None:
        batch = numbered(4)
        await keep.sessions.create("s")
        await keep.messages.append("s", batch)
        before = await whole(keep, "s")
        for change in ({"content": "other"}, {"role": "tool"}, {"metadata": {"k": 1}}, {"name": "n"}):
            changed = [replace(message, **change) if n == place else message for n, message in enumerate(batch)]
            for instance in (keep, twin):
                with pytest.raises(Conflict) as caught:
                    await instance.messages.append("s", changed)
                assert caught.value.kind == "message_id"
        assert await whole(keep, "s") == before
        part = batch[place:]
        assert seqs(await twin.messages.append("s", part)) == list(range(place + 1, 5))
        assert await whole(keep, "s") == before

    @proves("IDEM-1", "IDEM-3", "TTL-3", "CNT-1")
    @pytest.mark.parametrize("size", [1, 3])
    async def test_a_repetition_is_no_use_of_the_session(
        self, database: Database, keep: Keep, twin: Keep, size: int
    ) -> None:
        await keep.sessions.create("s", idle_ttl=HOUR)
        await keep.messages.append("s", numbered(size))
        before = await whole(keep, "s")
        await asyncio.sleep(0.02)
        options: list[dict[str, Any]] = [{}, {"update": {"title": "t"}}, {"add": {"n": 1}}, {"keep_last": size}]
        options += [{"truncate_after": 0}, {"update": {"idle_ttl": None}}, {"create": {}}]
        for instance in (keep, twin, await database.keep(idle_ttl=HOUR * 2)):
            for option in options:
                for stored in ("conflict", "skip"):
                    again = await instance.messages.append("s", numbered(size), stored=stored, **option)
                    assert (again.new, seqs(again)) == (0, list(range(1, size + 1)))
                    assert await whole(keep, "s") == before, (option, stored)

    @proves("CNT-1")
    @pytest.mark.parametrize("cut", CUTS)
    async def test_last_message_at_is_of_the_newest_whatever_the_times_say(
        self, keep: Keep, twin: Keep, cut: str
    ) -> None:
        [first] = _out_of_order([5])
        await keep.messages.append("s", [replace(first, id="m1")], create={})
        await keep.messages.append("s", _out_of_order([3, 9, 2]))
        await keep.messages.append("s", _out_of_order([4]))
        assert (await twin.sessions.get("s")).last_message_at == LONG_AGO + timedelta(days=4)
        await CUTS[cut](keep)
        session, messages = await whole(twin, "s")
        assert session.last_message_at == (messages[-1].created_at if messages else None)
        assert session.message_count == len(messages)
        if messages:
            copy = await keep.sessions.fork("s", at_seq=messages[0].seq)
            assert copy.last_message_at == messages[0].created_at

    @proves("ORD-4", "ORD-6")
    @pytest.mark.parametrize("carried", STALE)
    async def test_an_append_of_nothing_keeps_to_what_it_expects(self, keep: Keep, twin: Keep, carried: str) -> None:
        session = await keep.sessions.create("s", title="old")
        stale = session.version
        await keep.messages.append("s", numbered(3))
        session = await keep.sessions.update("s", title="newer")
        before = await whole(keep, "s")
        for name, expected in (("version", stale), ("version", 0), ("last_seq", 2), ("last_seq", 4)):
            expectation: dict[str, Any] = {f"expected_{name}": expected}
            with pytest.raises(Conflict) as caught:
                await twin.messages.append("s", [], **expectation, **STALE[carried])
            assert caught.value.kind == name
            assert caught.value.expected == expected
        assert await whole(keep, "s") == before
        fresh = await twin.messages.append(
            "s", [], expected_version=session.version, expected_last_seq=3, **STALE[carried]
        )
        assert (list(fresh), fresh.new, fresh.last_seq) == ([], 0, 3)

    @proves("FID-1")
    @pytest.mark.parametrize("row", TOOL_CALLS)
    async def test_tool_calls_come_back_as_they_were_given(self, keep: Keep, twin: Keep, row: str) -> None:
        calls = TOOL_CALLS[row]
        await keep.sessions.create("s")
        for number, content in enumerate((None, "", "text", [], [{"type": "text", "text": "x"}])):
            given = NewMessage(role="assistant", id=f"m{number}", content=content, tool_calls=calls)
            [stored] = await keep.messages.append("s", [given])
            assert repr((stored.content, stored.tool_calls)) == repr((content, calls))
            assert await twin.messages.get("s", stored.id) == stored
            assert seqs(await twin.messages.append("s", [given])) == [stored.seq]
        result = NewMessage(role="tool", id="result", content="done", tool_call_id="c")
        await keep.messages.append("s", [result])
        read = await log(twin, "s")
        assert [repr(message.tool_calls) for message in read] == [repr(calls)] * 5 + ["None"]
        assert read[-1].tool_call_id == "c"
        await keep.messages.update("s", "m2", content="redacted")
        assert repr((await twin.messages.get("s", "m2")).tool_calls) == repr(calls)
