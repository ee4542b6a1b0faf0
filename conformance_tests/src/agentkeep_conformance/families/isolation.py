"""Whose data a call touches: one tenant's, one user's, one id's (ISO-1, ISO-2)."""

from __future__ import annotations

from typing import Any, cast

import pytest
from agentkeep import AlreadyExists, InvalidInput, Keep, SessionNotFound, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.families.lifecycle import VERBS
from agentkeep_conformance.samples import everything, ids, log, said, whole
from agentkeep_conformance.tables import IDS, NOT_IDS

SEPARATORS = [
    ":",
    "::",
    "/",
    "|",
    "#",
    "-",
    "_",
    ".",
    ",",
    ";",
    "@",
    "\\",
    "%",
    " ",
    "{",
    "}",
    "~",
    "!",
    "\u2028",
    "会",
]
"""What an adapter may put between the parts of a key."""

REFUSALS = (SessionNotFound, AlreadyExists)


async def furnish(keep: View, canary: str, user_id: str = "u") -> None:
    """Sessions "s" and "t" that hold what every verb of `VERBS` asks for."""
    for name in ("s", "t"):
        await keep.sessions.create(name, user_id=user_id, agent_name="a", title=canary, metadata={"k": canary})
        await keep.messages.append(name, [said(f"{canary} x", id="m"), said(f"{canary} x")])


async def seen(keep: View) -> list[Any]:
    """All that one view shows."""
    return [await whole(keep, session.id) for session in await everything(keep.sessions.iterate(order="created_at"))]


async def try_verb(keep: View, verb: str) -> str:
    """What a verb showed or said, as text. Undeclared capabilities are refused elsewhere, and show nothing here."""
    capability = verb.removeprefix("messages.")
    if capability in ("search", "watch") and not getattr(keep.capabilities, capability):
        return ""
    try:
        return repr(await VERBS[verb](keep))
    except (*REFUSALS, StopAsyncIteration) as error:
        return repr(error)


class Isolation:
    @proves("ISO-1")
    @pytest.mark.parametrize("verb", VERBS)
    async def test_no_verb_of_an_empty_tenant_meets_anothers_data(self, keep: Keep, twin: Keep, verb: str) -> None:
        await furnish(keep, "canary")
        before = await seen(keep)
        assert "canary" not in await try_verb(twin.for_tenant("other"), verb)
        assert await seen(keep) == before

    @proves("ISO-1")
    @pytest.mark.parametrize("verb", VERBS)
    async def test_no_verb_meets_the_same_ids_of_another_tenant(self, keep: Keep, verb: str) -> None:
        other = keep.for_tenant("other")
        await furnish(keep, "canary")
        await furnish(other, "theirs")
        before = await seen(keep)
        assert "canary" not in await try_verb(other, verb)
        assert await seen(keep) == before
        theirs = await seen(other)
        assert "theirs" not in await try_verb(keep, verb)
        assert await seen(other) == theirs

    @proves("ISO-1")
    @pytest.mark.parametrize("verb", VERBS)
    async def test_no_verb_of_a_user_meets_another_users_data(self, keep: Keep, twin: Keep, verb: str) -> None:
        await furnish(keep, "canary")
        before = await seen(keep)
        assert "canary" not in await try_verb(twin.for_user("u2"), verb)
        assert [shown for shown in await seen(keep) if shown[0].user_id == "u"] == before
        if verb != "sessions.create":
            assert await keep.sessions.count(user_id="u2") == 0

    @proves("ISO-1")
    @pytest.mark.parametrize("verb", VERBS)
    async def test_every_verb_of_a_users_view_does_its_work_on_ones_own(self, keep: Keep, verb: str) -> None:
        await furnish(keep, "mine", user_id="u")
        await keep.sessions.create("foreign", user_id="u2", metadata={"k": "canary"})
        before = await whole(keep, "foreign")
        shown = await try_verb(keep.for_user("u"), verb)
        assert "NotFound" not in shown
        assert "canary" not in shown
        assert await whole(keep, "foreign") == before

    @proves("ISO-1")
    async def test_a_users_view_creates_lists_and_counts_its_own(self, keep: Keep) -> None:
        await furnish(keep, "canary", user_id="u1")
        view = keep.for_user("u2")
        assert (await view.sessions.create("mine")).user_id == "u2"
        assert ids((await view.sessions.list()).items) == ["mine"]
        assert (await view.sessions.list(user_id="u1")).items == []
        assert await view.sessions.count() == 1
        with pytest.raises(AlreadyExists):
            await view.sessions.get_or_create("s")
        with pytest.raises(AlreadyExists):
            await view.sessions.create("s")
        with pytest.raises(AlreadyExists):
            await view.sessions.fork("mine", new_id="s")
        assert await view.sessions.delete_user("u1") == 0
        with pytest.raises(InvalidInput):
            await view.sessions.create("y", user_id="u1")
        with pytest.raises(InvalidInput):
            await view.sessions.update("mine", user_id="u1")
        assert await keep.sessions.count(user_id="u1") == 2

    @proves("ISO-1")
    async def test_a_view_gives_no_way_out_of_it(self, keep: Keep) -> None:
        for view in (keep.for_tenant("a"), keep.for_user("a")):
            assert not hasattr(view, "for_tenant")
        with pytest.raises(InvalidInput):
            keep.for_user("a").for_user("b")
        narrowed = keep.for_tenant("a").for_user("u")
        await narrowed.sessions.create("s")
        assert await keep.for_tenant("a").sessions.count(user_id="u") == 1
        assert await keep.sessions.count() == await keep.for_user("u").sessions.count() == 0

    @proves("ISO-1", "ORD-5")
    async def test_a_session_given_to_another_user_changes_sides_at_once(self, keep: Keep) -> None:
        await furnish(keep, "x", user_id="u1")
        one, two = keep.for_user("u1"), keep.for_user("u2")
        await keep.sessions.update("s", user_id="u2")
        assert (await two.sessions.get("s")).message_count == 2
        assert await one.sessions.find("s") is None
        assert (ids((await one.sessions.list()).items), ids((await two.sessions.list()).items)) == (["t"], ["s"])
        with pytest.raises(SessionNotFound):
            await one.messages.append("s", [said()])

    @proves("ISO-2")
    @pytest.mark.parametrize("row", IDS)
    async def test_a_hostile_id_is_data_in_every_place(self, keep: Keep, twin: Keep, row: str) -> None:
        hostile = IDS[row]
        await furnish(keep, "bystander")
        bystanders = await seen(keep)
        session = await keep.sessions.create(
            hostile, user_id=hostile, agent_name=hostile, parent_id=hostile, metadata={hostile: hostile}
        )
        assert (session.id, session.user_id, session.agent_name, session.parent_id) == (hostile,) * 4
        spoken = said("x", id=hostile, user_id=hostile, turn_id=hostile)
        [message] = await keep.messages.append(hostile, [spoken])
        assert (message.id, message.session_id, message.user_id, message.turn_id) == (hostile,) * 4
        assert await twin.messages.get(hostile, hostile) == message
        for filters in ({"user_id": hostile}, {"agent_name": hostile}, {"parent_id": hostile}):
            assert ids((await twin.sessions.list(**cast("Any", filters))).items) == [hostile]
            assert await twin.sessions.count(**cast("Any", filters)) == 1
        assert ids((await twin.sessions.list(metadata={hostile: hostile})).items) == [hostile]
        assert await twin.sessions.count(metadata={hostile: "other"}) == 0
        assert await twin.sessions.count(metadata={"k": hostile}) == 0
        assert ids((await twin.for_user(hostile).sessions.list()).items) == [hostile]
        assert list(await keep.messages.append(hostile, [spoken])) == [message]
        await keep.messages.update(hostile, hostile, content="y")
        assert await twin.sessions.delete_many(metadata={hostile: hostile}, dry_run=True) == 1
        assert await twin.sessions.delete_user(hostile) == 1
        assert await seen(keep) == bystanders

    @proves("ISO-1", "ISO-2")
    @pytest.mark.parametrize("row", IDS)
    async def test_a_hostile_tenant_is_a_tenant_like_any(self, keep: Keep, row: str) -> None:
        tenant = keep.for_tenant(IDS[row])
        await furnish(keep, "bystander")
        bystanders = await seen(keep)
        assert await seen(tenant) == []
        await furnish(tenant, "theirs")
        assert {session.tenant for session, _ in await seen(tenant)} == {IDS[row]}
        assert await tenant.sessions.delete_many(agent_name="a") == 2
        assert await seen(keep) == bystanders

    @proves("ISO-2", "ISO-1")
    async def test_all_hostile_ids_live_side_by_side(self, keep: Keep) -> None:
        await keep.sessions.create("home")
        for hostile in IDS.values():
            await keep.sessions.create(hostile, user_id=hostile, metadata={"v": hostile, hostile: 1})
            await keep.messages.append(hostile, [said(hostile, id="m")])
            await keep.messages.append("home", [said(hostile, id=hostile)])
            await keep.for_tenant(hostile).sessions.create("only", title=hostile)
        assert {session.id for session in await everything(keep.sessions.iterate())} == {"home", *IDS.values()}
        assert ids(await log(keep, "home")) == list(IDS.values())
        for hostile in IDS.values():
            assert (await keep.messages.get(hostile, "m")).content == hostile
            assert (await keep.messages.get("home", hostile)).content == hostile
            assert await keep.sessions.count(metadata={"v": hostile}) == 1
            assert await keep.sessions.count(metadata={hostile: 1}) == 1
            assert await keep.sessions.count(user_id=hostile) == 1
            [only] = (await keep.for_tenant(hostile).sessions.list()).items
            assert only.title == hostile
        left = set(IDS.values())
        for hostile in IDS.values():
            assert await keep.sessions.delete(hostile)
            left.discard(hostile)
            assert await keep.sessions.count() == len(left) + 1
        assert await keep.messages.count("home") == len(IDS)

    @proves("ISO-2", "ISO-1")
    async def test_parts_of_a_key_never_run_into_each_other(self, keep: Keep) -> None:
        pairs = [(f"a{mark}b", "c") for mark in SEPARATORS] + [("a", f"b{mark}c") for mark in SEPARATORS]
        pairs += [(f"a{mark}", f"{mark}c") for mark in SEPARATORS] + [("a", "c"), ("ac", "a"), ("a", "bc"), ("ab", "c")]
        for tenant, name in pairs:
            view = keep.for_tenant(tenant)
            await view.sessions.create(name, user_id=f"{tenant}|{name}", metadata={tenant: name})
            await view.messages.append(name, [said(f"{tenant}|{name}", id=name)])
        for tenant, name in pairs:
            view = keep.for_tenant(tenant)
            assert (await view.sessions.get(name)).user_id == f"{tenant}|{name}"
            assert [message.content for message in await log(view, name)] == [f"{tenant}|{name}"]
            assert ids((await view.sessions.list(metadata={tenant: name})).items) == [name]
        for tenant, name in pairs:
            assert await keep.for_tenant(tenant).sessions.delete(name)

    @proves("ISO-2", "ERR-1")
    @pytest.mark.parametrize("row", NOT_IDS)
    async def test_what_is_no_id_is_refused_by_every_verb(self, keep: Keep, row: str) -> None:
        wrong: Any = NOT_IDS[row]
        await furnish(keep, "bystander")
        before = await seen(keep)
        sessions, messages = keep.sessions, keep.messages
        calls: list[Any] = [
            sessions.get(wrong),
            sessions.find(wrong),
            sessions.get_or_create(wrong),
            sessions.update(wrong, title="t"),
            sessions.touch(wrong),
            sessions.fork(wrong),
            sessions.delete(wrong),
            sessions.find_active(wrong),
            sessions.delete_user(wrong),
            messages.append(wrong, [said()]),
            messages.update(wrong, "m", content="c"),
            messages.update("s", wrong, content="c"),
            messages.list(wrong),
            messages.tail(wrong, 5),
            messages.get(wrong, "m"),
            messages.get("s", wrong),
            messages.count(wrong),
            messages.truncate(wrong, after_seq=0),
            messages.trim(wrong, keep_last=1),
            messages.pop(wrong),
            messages.clear(wrong),
        ]
        if wrong is not None:
            calls += [
                sessions.create(wrong),
                sessions.create("new", user_id=wrong),
                sessions.create("new", agent_name=wrong),
                sessions.create("new", parent_id=wrong),
                sessions.update("s", user_id=wrong),
                sessions.fork("s", new_id=wrong),
                sessions.list(user_id=wrong),
                sessions.count(agent_name=wrong),
                sessions.delete_many(parent_id=wrong),
                messages.append("s", [said(id=wrong)]),
            ]
        for call in calls:
            with pytest.raises(InvalidInput):
                await call
        views: list[Any] = [keep.for_tenant, keep.for_user]
        for view in views:
            with pytest.raises(InvalidInput):
                view(wrong)
        assert await seen(keep) == before
