"""What goes in comes out, to the byte, or is refused before any write (FID-1 to FID-5)."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import pytest
from agentkeep import InvalidInput, Keep, NewMessage
from agentkeep.sessions import Order

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.samples import FULL_SESSION, log, said, whole
from agentkeep_conformance.tables import NOT_JSON, STRUCTURES, TEXTS, VALUES

TIMES = [
    datetime(2026, 1, 2, 3, 4, 5, 1, tzinfo=UTC),
    datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1901, 1, 1, 0, 0, 0, 7, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, 123_457, tzinfo=UTC),
    datetime(2262, 4, 12, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 29, 2, 30, 0, 5, tzinfo=timezone(timedelta(hours=2))),
    datetime(2026, 6, 1, 12, 0, 0, 654_321, tzinfo=timezone(-timedelta(hours=9, minutes=30))),
    datetime(2026, 6, 1, 12, 0, 0, 654_321, tzinfo=timezone(timedelta(hours=14))),
]


def exactly(value: Any) -> str:
    """Tells 1 from 1.0 and True, 0.0 from -0.0, one order of keys from another."""
    return repr(value)


class Fidelity:
    @proves("FID-1", "FID-2")
    @pytest.mark.parametrize("row", VALUES)
    async def test_a_value_comes_back_as_it_was_wherever_it_stood(self, keep: Keep, twin: Keep, row: str) -> None:
        value = VALUES[row]
        held = {"k": value}
        await keep.sessions.create("s", state=held, metadata=held)
        content = value if isinstance(value, str) else [value]
        first = said(content, event=value, metadata=held, tool_calls=[value])
        [told] = await keep.messages.append("s", [first])
        for message in (told, *await log(twin, "s"), *await twin.messages.tail("s", 1)):
            found = (message.content, message.event, message.metadata, message.tool_calls)
            assert exactly(found) == exactly((content, value, held, [value]))
        session = await twin.sessions.get("s")
        assert exactly((session.state, session.metadata)) == exactly((held, held))
        await keep.sessions.update("s", state={"old": 1}, metadata={"old": 1})
        await keep.messages.append("s", [], update={"state": held, "metadata": held})
        [session] = (await twin.sessions.list()).items
        assert exactly((session.state, session.metadata)) == exactly((held, held))
        updated = await keep.messages.update("s", told.id, content=[held], event=[value])
        assert exactly(await twin.messages.get("s", told.id)) == exactly(updated)
        assert exactly((updated.content, updated.event)) == exactly(([held], [value]))

    @proves("FID-1")
    @pytest.mark.parametrize("row", [row for row, value in STRUCTURES.items() if isinstance(value, dict)])
    async def test_an_object_comes_back_as_the_whole_of_state_and_metadata(self, keep: Keep, row: str) -> None:
        value = STRUCTURES[row]
        await keep.sessions.create("s", state=value, metadata=value)
        await keep.messages.append("s", [said([value], event=value, metadata=value)])
        copy = await keep.sessions.fork("s")
        [message] = await log(keep, copy.id)
        for held in (copy.state, copy.metadata, message.event, message.metadata):
            assert exactly(held) == exactly(value)

    @proves("FID-2")
    @pytest.mark.parametrize("row", TEXTS)
    async def test_a_text_comes_back_as_it_was_in_every_text_field(self, keep: Keep, twin: Keep, row: str) -> None:
        text = TEXTS[row]
        await keep.sessions.create("s", title=text)
        assert (await twin.sessions.get("s")).title == text
        await keep.sessions.update("s", title=text + "x", current_route=text, current_step=text)
        session = await twin.sessions.get("s")
        assert (session.title, session.current_route, session.current_step) == (text + "x", text, text)
        held = {"name": text, "tool_call_id": text, "turn_id": text, "route": text, "step": text}
        await keep.messages.append("s", [said(text, **held)])
        [message] = await log(twin, "s")
        assert {name: getattr(message, name) for name in held} == held
        assert message.content == text
        for key in (text, f"a{text}"):
            await keep.sessions.update("s", state={key: {key: 1}}, metadata={key: text})
            session = await twin.sessions.get("s")
            assert (session.state, session.metadata) == ({key: {key: 1}}, {key: text})
            assert await twin.sessions.count(metadata={key: text}) == 1

    @proves("FID-1", "FID-2")
    @pytest.mark.parametrize("row", NOT_JSON)
    async def test_what_json_cannot_say_is_refused_before_any_write(self, keep: Keep, row: str) -> None:
        value = NOT_JSON[row]
        await keep.sessions.create("s", **FULL_SESSION)
        await keep.messages.append("s", [said("a", id="a")])
        before = await whole(keep, "s")
        held = {"k": value}
        wrong: list[dict[str, Any]] = [
            {"content": [value]},
            {"event": value},
            {"metadata": held},
            {"tool_calls": [value]},
        ]
        wrong += [{"content": value}, {"name": value}, {"turn_id": value}] if isinstance(value, str) else []
        for fields in wrong:
            with pytest.raises(InvalidInput):
                await keep.messages.append("s", [said("fine"), NewMessage(role="user", **fields)])
            with pytest.raises(InvalidInput):
                await keep.messages.update("s", "a", **fields)
        fields: dict[str, Any]
        for fields in ({"state": held}, {"metadata": held}, *([{"title": value}] if isinstance(value, str) else [])):
            with pytest.raises(InvalidInput):
                await keep.sessions.create("new", **fields)
            with pytest.raises(InvalidInput):
                await keep.sessions.update("s", **fields)
            with pytest.raises(InvalidInput):
                await keep.messages.append("s", [said()], update=fields)  # pyright: ignore[reportArgumentType]
        assert await whole(keep, "s") == before
        assert await keep.sessions.count() == 1

    @proves("FID-3")
    @pytest.mark.parametrize("time", TIMES, ids=str)
    async def test_a_time_comes_back_to_the_microsecond_in_utc(self, keep: Keep, twin: Keep, time: datetime) -> None:
        await keep.sessions.create("s")
        [told] = await keep.messages.append("s", [said(created_at=time)])
        [found] = await log(twin, "s")
        assert told.created_at == found.created_at == time
        assert found.created_at.utcoffset() == timedelta(0)
        assert (await twin.sessions.get("s")).last_message_at == time

    @proves("FID-3", "CNT-1")
    @pytest.mark.parametrize("time", TIMES, ids=str)
    async def test_a_time_comes_back_from_each_way_to_append(self, keep: Keep, twin: Keep, time: datetime) -> None:
        ways: list[dict[str, Any]] = [{"update": {"title": "t"}}, {"add": {"n": 1}}, {"expected_last_seq": 1}]
        ways += [{"truncate_after": 0}, {"keep_last": 1}]
        await keep.messages.append("new", [said(created_at=time)], create={})
        for number, way in enumerate(ways):
            await keep.messages.append(f"s{number}", [said()], create={})
            await keep.messages.append(f"s{number}", [said(created_at=time)], **way)
        for session_id in ("new", *(f"s{number}" for number in range(len(ways)))):
            assert (await twin.sessions.get(session_id)).last_message_at == time, session_id
            assert (await log(twin, session_id))[-1].created_at == time, session_id

    @proves("FID-3")
    async def test_our_own_times_are_aware_utc_and_filters_are_as_fine(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        session = await keep.sessions.update("s", status="completed")
        for time in (session.created_at, session.updated_at, session.completed_at):
            assert time is not None
            assert time.utcoffset() == timedelta(0)
        moment, tick = session.updated_at, timedelta(microseconds=1)
        east = timezone(timedelta(hours=5))
        assert await keep.sessions.count(updated_after=moment) == await keep.sessions.count(updated_before=moment) == 0
        assert await keep.sessions.count(updated_after=moment - tick, updated_before=moment + tick) == 1
        assert await keep.sessions.count(updated_after=(moment - tick).astimezone(east)) == 1
        assert await keep.sessions.count(updated_after=moment.astimezone(east)) == 0

    @proves("FID-3")
    async def test_naive_times_are_refused(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        wrong: list[Any] = [datetime(2026, 1, 1), "2026-01-01T00:00:00Z", 0, 1.5]
        for time in wrong:
            with pytest.raises(InvalidInput):
                await keep.messages.append("s", [said(created_at=time)])
            with pytest.raises(InvalidInput):
                await keep.sessions.list(updated_after=time)
            with pytest.raises(InvalidInput):
                await keep.sessions.delete_many(updated_before=time)
        assert await keep.messages.count("s") == 0

    @proves("FID-5")
    async def test_changing_what_went_in_or_came_out_changes_nothing_stored(self, keep: Keep) -> None:
        given: dict[str, Any] = {"deep": {"list": [1, {"a": 2}]}}
        meant = deepcopy(given)
        content: list[Any] = [given]
        session = await keep.sessions.create("s", state=given, metadata=given)
        calls = [{"id": "c"}]
        [message] = await keep.messages.append(
            "s", [said(content, id="m", event=given, metadata=given, tool_calls=calls)]
        )
        counted = await keep.sessions.update("s", add={"n": 1})
        page = await keep.sessions.list()
        messages = await keep.messages.list("s")
        resumed, tail = await keep.sessions.resume("s")
        many = [*(await keep.sessions.get_many(["s"])).values(), await keep.sessions.get_or_create("s")]
        returned = [session, counted, resumed, *many, await keep.sessions.get("s"), *page.items]
        spoken = [message, await keep.messages.get("s", "m"), *messages.items, *tail]
        spoken += (await keep.messages.get_many("s", ["m"])).values()
        _spoil(given)
        content.append("added")
        calls[0]["id"] = "changed"
        for row in returned:
            _spoil(row.state)
            _spoil(row.metadata)
            row.counters["n"] = row.counters["new"] = 9
        for row in spoken:
            _spoil(row.event)
            _spoil(row.metadata)
            assert isinstance(row.content, list)
            row.content.clear()
            assert row.tool_calls is not None
            row.tool_calls.clear()
        session, [message] = await whole(keep, "s")
        assert session.state == session.metadata == message.event == message.metadata == meant
        assert session.counters == {"n": 1}
        assert (message.content, message.tool_calls) == ([meant], [{"id": "c"}])

    @proves("FID-5")
    async def test_what_was_returned_shares_nothing_with_the_rest(self, keep: Keep) -> None:
        """Also what is empty: one shared `{}` is enough to change a stranger."""
        for name in ("changed", "other"):
            await keep.sessions.create(name)
            await keep.messages.append(name, [said([], metadata={}, event={}, tool_calls=[]), NewMessage(role="user")])
        [*changed, kept] = [await whole(keep, name) for name in ("changed", "changed", "other")]
        meant = deepcopy(kept)
        for session, messages in changed:
            for value in (session.state, session.metadata, session.counters):
                value["new"] = 9
            for each in messages:
                each.metadata["new"] = 9
                for value in (each.content, each.event, each.tool_calls):
                    _add_to(value)
        assert exactly(kept) == exactly(meant)
        assert exactly(await whole(keep, "other")) == exactly(meant)
        made = await keep.sessions.create("made")
        assert (made.state, made.metadata, made.counters) == ({}, {}, {})

    @proves("FID-5")
    async def test_fork_and_parent_share_nothing(self, keep: Keep) -> None:
        await keep.sessions.create("s", state={"a": [1]})
        await keep.messages.append("s", [said([["x"]], metadata={"a": [1]})])
        copy = await keep.sessions.fork("s", new_id="copy")
        copy.state["a"].append(2)
        (await log(keep, "copy"))[0].metadata["a"].append(2)
        for name in ("s", "copy"):
            session, [message] = await whole(keep, name)
            assert session.state == message.metadata == {"a": [1]}

    @proves("FID-1", "READ-5")
    @pytest.mark.parametrize("order", ["-updated_at", "created_at"])
    async def test_lists_show_the_same_values_as_get(self, keep: Keep, order: Order) -> None:
        for row, value in STRUCTURES.items():
            await keep.sessions.create(row, state={"k": value}, metadata={"k": value})
        listed = (await keep.sessions.list(order=order, limit=1_000)).items
        assert len(listed) == len(STRUCTURES)
        for session in listed:
            assert exactly(session) == exactly(await keep.sessions.get(session.id))


def _add_to(value: Any) -> None:
    if isinstance(value, dict):
        value["new"] = 9
    elif isinstance(value, list):
        cast("list[Any]", value).append(9)


def _spoil(value: dict[str, Any]) -> None:
    value["deep"]["list"].append("changed")
    value["new"] = "changed"
