"""Sessions: created, updated, found, deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from agentkeep import AlreadyExists, Conflict, InvalidInput, Keep, NewMessage, Session, SessionNotFound
from msgspec.structs import asdict

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.samples import FULL_SESSION, Verb, at_once, ids, log, numbered, said, whole

UPDATES: dict[str, Any] = {
    "user_id": "u2",
    "agent_name": "sales",
    "title": "Another",
    "status": "abandoned",
    "current_route": "billing",
    "current_step": "ask-name",
    "state": {"other": [None]},
    "metadata": {"team": "red"},
    "schema_version": 8,
}
"""Another value for each field that `update` takes."""

ON_ABSENT: dict[str, Verb] = {
    "sessions.get": lambda keep: keep.sessions.get("s"),
    "sessions.resume": lambda keep: keep.sessions.resume("s"),
    "sessions.update": lambda keep: keep.sessions.update("s", title="t"),
    "sessions.update at a version": lambda keep: keep.sessions.update("s", title="t", expected_version=1),
    "sessions.touch": lambda keep: keep.sessions.touch("s"),
    "sessions.touch with ttl": lambda keep: keep.sessions.touch("s", timedelta(hours=1)),
    "sessions.fork": lambda keep: keep.sessions.fork("s", new_id="copy"),
    "messages.append": lambda keep: keep.messages.append("s", [said(id="m1")]),
    "messages.append with everything": lambda keep: keep.messages.append(
        "s", [said()], update={"title": "t"}, truncate_after=0, keep_last=1, expected_last_seq=0
    ),
    "messages.append of nothing": lambda keep: keep.messages.append("s", []),
    "messages.update": lambda keep: keep.messages.update("s", "m1", content="c"),
    "messages.list": lambda keep: keep.messages.list("s"),
    "messages.tail": lambda keep: keep.messages.tail("s", 5),
    "messages.get": lambda keep: keep.messages.get("s", "m1"),
    "messages.get_many": lambda keep: keep.messages.get_many("s", ["m1"]),
    "messages.count": lambda keep: keep.messages.count("s"),
    "messages.truncate": lambda keep: keep.messages.truncate("s", after_seq=0),
    "messages.trim": lambda keep: keep.messages.trim("s", keep_last=1),
    "messages.pop": lambda keep: keep.messages.pop("s"),
    "messages.clear": lambda keep: keep.messages.clear("s"),
}
"""Every verb that needs a session "s"."""


def given(session: Session) -> dict[str, Any]:
    """What a caller gave, without what the adapter adds."""
    return {name: value for name, value in asdict(session).items() if name in FULL_SESSION}


class Sessions:
    @proves("SES-1", "ORD-5")
    async def test_create_gives_back_what_was_given_and_counters_at_zero(self, keep: Keep, twin: Keep) -> None:
        parent = await keep.sessions.create()
        session = await keep.sessions.create("s", parent_id=parent.id, **FULL_SESSION)
        assert (session.id, session.tenant, session.parent_id) == ("s", "default", parent.id)
        assert given(session) == FULL_SESSION
        assert (session.status, session.counters, session.message_count, session.last_seq) == ("active", {}, 0, 0)
        assert session.created_at == session.updated_at
        assert session.current_route is session.current_step is session.forked_at_seq is None
        assert session.last_message_at is session.completed_at is session.expires_at is None
        assert await keep.sessions.get("s") == await twin.sessions.get("s") == session

    @proves("SES-1")
    async def test_a_session_of_nothing_is_empty_and_gets_a_fresh_id(self, keep: Keep) -> None:
        sessions = [await keep.sessions.create() for _ in range(20)]
        assert len({session.id for session in sessions}) == 20
        assert given(sessions[0]) == dict.fromkeys(FULL_SESSION) | {"state": {}, "metadata": {}}

    @proves("SES-1")
    async def test_create_of_an_existing_id_changes_nothing(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s", **FULL_SESSION)
        await keep.messages.append("s", numbered(2))
        before = await whole(keep, "s")
        for instance in (keep, twin):
            with pytest.raises(AlreadyExists) as caught:
                await instance.sessions.create("s", title="thief", user_id="u9", ttl=timedelta(seconds=1))
            assert caught.value.session_id == "s"
        assert await whole(keep, "s") == before

    @proves("SES-1")
    async def test_get_or_create_returns_what_is_there_unchanged(self, keep: Keep, twin: Keep) -> None:
        created = await keep.sessions.get_or_create("s", **FULL_SESSION)
        assert given(created) == FULL_SESSION
        await keep.messages.append("s", numbered(1))
        before = await whole(keep, "s")
        assert await twin.sessions.get_or_create("s", title="other", metadata={"a": 1}) == before[0]
        assert await whole(keep, "s") == before

    @proves("ERR-1")
    async def test_absent_is_not_found_or_none_and_never_an_empty_session(self, keep: Keep) -> None:
        with pytest.raises(SessionNotFound) as caught:
            await keep.sessions.get("nobody")
        assert caught.value.session_id == "nobody"
        assert await keep.sessions.find("nobody") is None
        assert not await keep.sessions.delete("nobody")
        assert await keep.sessions.count() == 0

    @proves("SES-4")
    @pytest.mark.parametrize("verb", ON_ABSENT)
    async def test_no_verb_brings_an_absent_session_to_life(self, keep: Keep, verb: str) -> None:
        with pytest.raises(SessionNotFound):
            await ON_ABSENT[verb](keep)
        await keep.sessions.create("s")
        await keep.messages.append("s", [said(id="m1")])
        assert await keep.sessions.delete("s")
        with pytest.raises(SessionNotFound):
            await ON_ABSENT[verb](keep)
        assert await keep.sessions.find("s") is None
        assert await keep.sessions.find("copy") is None
        assert await keep.sessions.count() == 0

    @proves("SES-2", "SES-3")
    @pytest.mark.parametrize("field", UPDATES)
    async def test_update_sets_the_named_field_and_keeps_every_other(self, keep: Keep, twin: Keep, field: str) -> None:
        await keep.sessions.create("s", **FULL_SESSION)
        await keep.messages.append("s", numbered(2))
        before = asdict(await keep.sessions.update("s", current_route="home", current_step="one"))
        after = await keep.sessions.update("s", **cast("Any", {field: UPDATES[field]}))
        assert after.updated_at >= before["updated_at"]
        changed = {field: UPDATES[field], "version": before["version"] + 1, "updated_at": after.updated_at}
        assert asdict(after) == before | changed
        assert await twin.sessions.get("s") == after

    @proves("SES-2")
    async def test_a_field_can_be_emptied_again(self, keep: Keep) -> None:
        await keep.sessions.create("s", **FULL_SESSION)
        nothing: Any = dict.fromkeys(("user_id", "agent_name", "title", "schema_version"))
        await keep.sessions.update("s", **nothing, state={}, metadata={})
        assert given(await keep.sessions.get("s")) == nothing | {"state": {}, "metadata": {}}
        assert await keep.sessions.count(metadata={"team": "blue"}) == 0

    @proves("SES-2")
    async def test_json_fields_are_replaced_whole(self, keep: Keep) -> None:
        await keep.sessions.create("s", state={"a": {"b": 1}, "c": 2}, metadata={"x": 1, "y": 2})
        session = await keep.sessions.update("s", state={"a": {"d": 3}}, metadata={"y": 5})
        assert (session.state, session.metadata) == ({"a": {"d": 3}}, {"y": 5})
        assert await keep.sessions.count(metadata={"x": 1}) == 0
        assert await keep.sessions.count(metadata={"y": 5}) == 1

    @proves("SES-2")
    async def test_updates_of_different_fields_through_two_instances_both_stay(self, keep: Keep, twin: Keep) -> None:
        first = await keep.sessions.create("s", title="old", state={"old": True})
        seen_by_twin = await twin.sessions.get("s")
        await keep.sessions.update("s", title="new")
        assert (await twin.sessions.get("s")).title == "new" != seen_by_twin.title
        session = await twin.sessions.update("s", state={"new": True})
        assert (session.title, session.state, session.version) == ("new", {"new": True}, first.version + 2)

    @proves("SES-2", "ORD-4")
    async def test_a_stale_version_conflicts_and_changes_nothing(self, keep: Keep, twin: Keep) -> None:
        first = await keep.sessions.create("s", **FULL_SESSION)
        second = await twin.sessions.update("s", title="winner", expected_version=first.version)
        assert second.version == first.version + 1
        for stale in (first.version, 0, 99):
            with pytest.raises(Conflict) as caught:
                await keep.sessions.update("s", title="loser", state={}, expected_version=stale)
            assert caught.value.kind == "version"
            assert (caught.value.expected, caught.value.actual) == (stale, second.version)
        assert await keep.sessions.get("s") == second

    @proves("SES-2")
    async def test_only_updates_count_the_version(self, keep: Keep) -> None:
        version = (await keep.sessions.create("s")).version
        await keep.messages.append("s", numbered(3))
        await keep.messages.update("s", "m1", content="new")
        await keep.messages.trim("s", keep_last=2)
        await keep.messages.pop("s")
        await keep.messages.truncate("s", after_seq=0)
        assert (await keep.sessions.touch("s")).version == version
        await keep.messages.append("s", numbered(1), update={"title": "t"})
        assert (await keep.sessions.get("s")).version == version + 1

    @proves("SES-3")
    async def test_created_at_outlives_every_write(self, keep: Keep) -> None:
        created_at = (await keep.sessions.create("s")).created_at
        await keep.messages.append("s", numbered(3), update={"title": "t"}, keep_last=3)
        await keep.sessions.update("s", **cast("Any", UPDATES))
        await keep.sessions.touch("s", timedelta(hours=1))
        await keep.messages.truncate("s", after_seq=2)
        await keep.messages.clear("s")
        assert (await keep.sessions.get_or_create("s")).created_at == created_at

    @proves("SES-3")
    async def test_completed_sets_its_time_and_another_status_clears_it(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        done = await keep.sessions.update("s", status="completed")
        assert done.completed_at is not None
        assert done.created_at <= done.completed_at <= done.updated_at
        assert (await keep.sessions.update("s", title="t")).completed_at == done.completed_at
        assert (await keep.sessions.update("s", status="completed")).completed_at == done.completed_at
        again = await keep.sessions.update("s", status="active")
        assert (again.status, again.completed_at) == ("active", None)
        await keep.messages.append("s", [said()], update={"status": "completed"})
        assert (await keep.sessions.get("s")).completed_at is not None

    @proves("SES-4", "SES-6")
    async def test_a_deleted_id_begins_anew_empty_from_seq_1(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s", **FULL_SESSION)
        await keep.messages.append("s", numbered(3))
        await keep.sessions.update("s", title="x", status="completed")
        assert await twin.sessions.delete("s")
        assert not await keep.sessions.delete("s")
        new = await keep.sessions.create("s")
        assert given(new) == dict.fromkeys(FULL_SESSION) | {"state": {}, "metadata": {}}
        assert (new.last_seq, new.message_count, new.completed_at) == (0, 0, None)
        assert await log(keep, "s") == []
        [message] = await keep.messages.append("s", [NewMessage(role="tool", content="other", id="m1")])
        assert (message.seq, message.content) == (1, "other")
        assert await keep.sessions.count(metadata={"team": "blue"}) == 0

    @proves("SES-6", "ORD-5")
    async def test_delete_takes_one_session_out_of_every_list_and_count(self, keep: Keep, twin: Keep) -> None:
        for name in ("a", "b", "c"):
            await keep.sessions.create(name, user_id="u1", metadata={"k": 1})
            await keep.messages.append(name, numbered(2))
        assert await keep.sessions.delete("b")
        for instance in (keep, twin):
            assert sorted(ids((await instance.sessions.list()).items)) == ["a", "c"]
            assert await instance.sessions.count(metadata={"k": 1}) == 2
        assert [len(await log(keep, name)) for name in ("a", "c")] == [2, 2]

    @proves("ORD-5", "ISO-1")
    async def test_find_active_is_the_users_newest_active_session(self, keep: Keep, twin: Keep) -> None:
        assert await keep.sessions.find_active("u1") is None
        for name in ("old", "new", "done"):
            await keep.sessions.create(name, user_id="u1")
        await keep.sessions.create("foreign", user_id="u2")
        await keep.messages.append("new", [said()])
        await keep.sessions.update("done", status="completed")
        found = await twin.sessions.find_active("u1")
        assert found is not None
        assert found.id == "new"
        await keep.messages.append("old", [said()])
        assert (await keep.sessions.touch("old")) == await twin.sessions.find_active("u1")

    @proves("SES-6", "READ-1")
    async def test_delete_many_takes_all_that_match_however_many(self, keep: Keep) -> None:
        await at_once(keep.sessions.create(user_id="gone", metadata={"k": 1}) for _ in range(1_005))
        await keep.sessions.create("stays", user_id="kept", metadata={"k": 1})
        assert await keep.sessions.delete_many(user_id="gone", dry_run=True) == 1_005
        assert await keep.sessions.count() == 1_006
        assert await keep.sessions.delete_user("gone") == 1_005
        assert ids((await keep.sessions.list()).items) == ["stays"]
        assert await keep.sessions.delete_user("gone") == 0

    @proves("ISO-1")
    async def test_delete_many_without_a_filter_is_refused(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        nothing: list[Any] = [{}, {"user_id": None}, {"metadata": {}}]
        for filters in nothing:
            with pytest.raises(InvalidInput):
                await keep.sessions.delete_many(**filters)
        assert await keep.sessions.count() == 1
