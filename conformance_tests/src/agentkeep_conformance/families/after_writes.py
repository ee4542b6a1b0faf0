"""What each verb that writes leaves: a later `updated_at`, by which listings, counts and removals find the session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import combinations
from typing import Any

import pytest
from agentkeep import InvalidInput, Keep, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.samples import everything, ids, numbered, said

Write = Callable[[View, str], Awaitable[Any]]

WRITES: dict[str, Write] = {
    "update": lambda keep, name: keep.sessions.update(name, title="t"),
    "add": lambda keep, name: keep.sessions.update(name, add={"n": 1}),
    "touch": lambda keep, name: keep.sessions.touch(name),
    "append": lambda keep, name: keep.messages.append(name, [said()]),
    "append with update": lambda keep, name: keep.messages.append(name, [said()], update={"title": "t"}),
    "append of a counter": lambda keep, name: keep.messages.append(name, [], add={"n": 1}),
    "append with skip": lambda keep, name: keep.messages.append(name, numbered(6), stored="skip"),
    "append with truncate_after": lambda keep, name: keep.messages.append(name, [said()], truncate_after=0),
    "append with keep_last": lambda keep, name: keep.messages.append(name, [said()], keep_last=1),
    "redaction": lambda keep, name: keep.messages.update(name, "m1", content="-"),
    "truncate": lambda keep, name: keep.messages.truncate(name, after_seq=2),
    "trim": lambda keep, name: keep.messages.trim(name, keep_last=2),
    "pop": lambda keep, name: keep.messages.pop(name),
    "clear": lambda keep, name: keep.messages.clear(name),
}
"""Every verb that changes a session that has messages m1 to m4."""

FIELDS: dict[str, Any] = {"user_id": "u", "agent_name": "a", "parent_id": "p", "metadata": {"k": 1}}
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "user": {"user_id": "u"},
    "agent": {"agent_name": "a"},
    "parent": {"parent_id": "p"},
    "status": {"status": "active"},
    "label": {"metadata": {"k": 1}},
    "user and label": {"user_id": "u", "metadata": {"k": 1}},
    "all": {**FIELDS, "status": "active"},
}
OTHERS: dict[str, Any] = {"user_id": "u2", "agent_name": "a2", "parent_id": "p2", "metadata": {"k": 2}}
CHANGES: dict[str, dict[str, Any]] = {
    "user": {"user_id": "u2"},
    "agent": {"agent_name": "a2"},
    "status": {"status": "completed"},
    "label": {"metadata": {"k": 2}},
    "no user": {"user_id": None},
    "no agent": {"agent_name": None},
    "all": {"user_id": "u2", "agent_name": "a2", "status": "completed", "metadata": {"k": 2}},
}


def _narrowed(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Filters by one or two values of a session, and by one that it does not have."""
    values = [(name, value) for name, value in fields.items() if value is not None]
    other = [*OTHERS.items(), *FIELDS.items(), ("status", "active"), ("status", "completed")]
    return [*(dict([value]) for value in other), *(dict(pair) for pair in combinations(values, 2))]


class AfterWrites:
    @proves("CNT-1", "ORD-5", "READ-5")
    @pytest.mark.parametrize("write", WRITES)
    async def test_a_session_is_listed_and_counted_at_the_time_of_its_last_write(
        self, keep: Keep, twin: Keep, write: str
    ) -> None:
        for name in ("old", "new"):
            await keep.sessions.create(name, **FIELDS)
            await keep.messages.append(name, numbered(4))
        before, bound = await keep.sessions.get("old"), (await keep.sessions.get("new")).updated_at
        await WRITES[write](keep, "old")
        after = await twin.sessions.get("old")
        assert after.updated_at > bound > before.updated_at
        assert after.created_at == before.created_at
        for name, filters in FILTERS.items():
            listed = (await twin.sessions.list(**filters)).items
            assert ids(listed) == ["old", "new"], name
            assert ids((await twin.sessions.list(order="updated_at", **filters)).items) == ["new", "old"], name
            assert ids((await twin.sessions.list(order="created_at", **filters)).items) == ["old", "new"], name
            assert await twin.sessions.count(updated_after=bound, **filters) == 1, name
            assert await twin.sessions.count(updated_before=after.updated_at, **filters) == 1, name
            assert await twin.sessions.count(updated_before=bound, **filters) == 0, name
            assert listed[0] == after, name

    @proves("SES-2", "SES-5", "ORD-5", "READ-5")
    @pytest.mark.parametrize("way", ["update", "append", "fork"])
    @pytest.mark.parametrize("changed", CHANGES)
    async def test_a_changed_field_leaves_a_session_under_its_other_fields(
        self, keep: Keep, twin: Keep, changed: str, way: str
    ) -> None:
        await keep.sessions.create("s", **FIELDS)
        await keep.messages.append("s", [said()])  # an adapter may know from it what the next write replaces
        name, change = "s", CHANGES[changed]
        if way == "update":
            await keep.sessions.update(name, **change)
        elif way == "append":
            await keep.messages.append(name, [said()], update=change)  # pyright: ignore[reportArgumentType]
        else:
            name = (await keep.sessions.fork(name, new_id="copy", update=change)).id  # pyright: ignore[reportArgumentType]
            await keep.sessions.delete("s")
        is_copy = {"parent_id": "s"} if way == "fork" else {}
        fields = {**FIELDS, "status": "active", **is_copy, **change}
        for filters in _narrowed(fields):
            is_meant = all(fields[field] == value for field, value in filters.items())
            assert ids((await twin.sessions.list(**filters)).items) == [name] * is_meant, filters
            assert await twin.sessions.count(**filters) == is_meant, filters

    @proves("READ-5", "ORD-5")
    @pytest.mark.parametrize("way", ["update", "append", "append with create", "fork"])
    async def test_a_first_label_is_found_at_the_time_of_its_write(self, keep: Keep, twin: Keep, way: str) -> None:
        await keep.sessions.create("old")
        await keep.sessions.create("new", metadata={"k": 1})
        label: dict[str, Any] = {"metadata": {"k": 1}}
        written = "old"
        if way == "update":
            await keep.sessions.update("old", **label)
        elif way == "append":
            await keep.messages.append("old", [said()], update=label)  # pyright: ignore[reportArgumentType]
        elif way == "append with create":
            written = "made"
            await keep.messages.append("made", [said()], create=label)  # pyright: ignore[reportArgumentType]
        else:
            written = "made"
            await keep.sessions.fork("old", new_id="made", update=label)  # pyright: ignore[reportArgumentType]
        bound = (await keep.sessions.get("new")).updated_at
        assert ids((await twin.sessions.list(metadata={"k": 1})).items) == [written, "new"]
        assert await twin.sessions.count(metadata={"k": 1}, updated_after=bound) == 1
        await keep.messages.append("new", [said()])
        assert ids((await twin.sessions.list(metadata={"k": 1})).items) == ["new", written]

    @proves("READ-5", "ORD-5", "SES-2", "SES-5")
    @pytest.mark.parametrize("way", ["update", "append", "fork"])
    @pytest.mark.parametrize("left", [{}, {"k": [1]}], ids=["nothing", "nothing to filter by"])
    async def test_a_label_that_was_taken_away_finds_no_session(
        self, keep: Keep, twin: Keep, left: dict[str, Any], way: str
    ) -> None:
        await keep.sessions.create("s", user_id="u", metadata={"k": 1})
        await keep.messages.append("s", [said()])
        if way == "update":
            await keep.sessions.update("s", metadata=left)
        elif way == "append":
            await keep.messages.append("s", [said()], update={"metadata": left})
        else:
            await keep.sessions.fork("s", new_id="copy", update={"metadata": left})
            await keep.sessions.delete("s")
        filters: dict[str, Any]
        for filters in ({"metadata": {"k": 1}}, {"metadata": {"k": 1}, "user_id": "u"}):
            assert (await twin.sessions.list(**filters)).items == []
            assert await twin.sessions.count(**filters) == 0
            assert await keep.sessions.delete_many(**filters) == 0
        assert await twin.sessions.count(user_id="u") == 1

    @proves("READ-5", "SES-6")
    @pytest.mark.parametrize("name", [name for name in FILTERS if name != "none"])
    async def test_delete_many_removes_what_its_filter_and_bounds_mean(self, keep: Keep, twin: Keep, name: str) -> None:
        filters = FILTERS[name]
        for session in ("first", "second", "third"):
            await keep.sessions.create(session, **FIELDS)
            await keep.messages.append(session, numbered(2))
        await keep.sessions.create("other", **OTHERS)
        await keep.sessions.update("other", status="completed")
        middle = (await keep.sessions.get("second")).updated_at
        remove = keep.sessions.delete_many
        assert await remove(updated_before=middle, dry_run=True, **filters) == 1
        assert await twin.sessions.count() == 4
        assert await remove(updated_before=middle, **filters) == 1
        assert await twin.sessions.find("first") is None
        assert await remove(updated_after=middle, updated_before=middle, **filters) == 0
        assert await remove(updated_after=middle, **filters) == 1
        assert await twin.sessions.find("third") is None
        assert await remove(**filters) == 1
        assert ids(await everything(twin.sessions.iterate())) == ["other"]

    @proves("READ-2")
    async def test_a_cursor_of_sessions_belongs_to_every_part_of_its_query(self, keep: Keep) -> None:
        for number in range(4):
            await keep.sessions.create(f"s{number}", **FIELDS)
            await keep.for_tenant("other").sessions.create(f"s{number}", **FIELDS)
        moment = (await keep.sessions.get("s0")).created_at
        query: dict[str, Any] = {"order": "updated_at", **FILTERS["all"]}
        page = await keep.sessions.list(limit=1, **query)
        same = await keep.sessions.list(limit=2, cursor=page.next_cursor, **query)
        assert ids(same.items) == ["s1", "s2"]
        others: list[dict[str, Any]] = [{name: value} for name, value in OTHERS.items()]
        others += [{name: None} for name in FILTERS["all"]]
        others += [{"order": "-updated_at"}, {"order": "created_at"}, {"status": "completed"}]
        others += [{"metadata": {"k": 1, "l": 1}}, {"metadata": {"k": "1"}}, {"metadata": {"k": 1.5}}]
        others += [{"updated_after": moment}, {"updated_before": moment}]
        for other in others:
            with pytest.raises(InvalidInput):
                await keep.sessions.list(cursor=page.next_cursor, **query | other)
        views = [keep.for_tenant("other"), keep.for_user("u2"), keep.for_tenant("other").for_user("u")]
        del query["user_id"]
        for view in views:
            with pytest.raises(InvalidInput):
                await view.sessions.list(cursor=page.next_cursor, **query)

    @proves("READ-2")
    async def test_a_cursor_of_messages_belongs_to_every_part_of_its_query(self, keep: Keep) -> None:
        for view in (keep, keep.for_tenant("other")):
            for name in ("s", "t"):
                await view.messages.append(name, numbered(6), create={"user_id": "u"})
        query: dict[str, Any] = {"after": 1, "before": 6}
        page = await keep.messages.list("s", limit=1, **query)
        same = await keep.messages.list("s", limit=2, cursor=page.next_cursor, **query)
        assert ids(same.items) == ["m3", "m4"]
        others: list[dict[str, Any]] = [{"after": 0}, {"before": None}, {"before": 5}, {"newest_first": True}]
        for other in others:
            with pytest.raises(InvalidInput):
                await keep.messages.list("s", cursor=page.next_cursor, **query | other)
        with pytest.raises(InvalidInput):
            await keep.messages.list("t", cursor=page.next_cursor, **query)
        with pytest.raises(InvalidInput):
            await keep.for_tenant("other").messages.list("s", cursor=page.next_cursor, **query)
