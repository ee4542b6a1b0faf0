"""Appends that make their session (SES-7), and whose session `get_or_create` may return (ISO-4)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import AlreadyExists, Appended, Conflict, InvalidInput, Keep, LimitExceeded, Session, SessionNotFound

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.families.ttl import expired, filled_in_time
from agentkeep_conformance.racing import outcomes
from agentkeep_conformance.samples import FULL_SESSION, log, numbered, said, seqs, whole

HOUR = timedelta(hours=1)


class Creating:
    @proves("SES-7", "ORD-6")
    async def test_an_append_makes_an_absent_session_with_its_fields(self, keep: Keep, twin: Keep) -> None:
        parent = await keep.sessions.create()
        fields: Any = {**FULL_SESSION, "parent_id": parent.id, "ttl": HOUR * 2, "idle_ttl": HOUR}
        stored = await keep.messages.append("s", numbered(2), create=fields, add={"n": 1})
        session, messages = await whole(twin, "s")
        assert {name: getattr(session, name) for name in FULL_SESSION} == FULL_SESSION
        assert (session.parent_id, session.idle_ttl, session.counters) == (parent.id, HOUR, {"n": 1})
        assert session.ends_at is not None
        assert session.expires_at is not None
        assert session.expires_at < session.ends_at
        assert (session.status, session.message_count, session.last_seq) == ("active", 2, 2)
        assert (list(stored), stored.new) == (messages, 2)
        assert (stored.version, stored.last_seq) == (session.version, 2)
        assert await twin.sessions.count(metadata={"team": "blue"}, user_id="u1", parent_id=parent.id) == 1

    @proves("SES-7", "SES-2")
    async def test_an_update_lands_on_the_session_that_the_call_makes(self, keep: Keep, twin: Keep) -> None:
        stored = await keep.messages.append(
            "s",
            [said()],
            create={"title": "made", "metadata": {"k": 1}},
            update={"title": "set", "status": "completed"},
        )
        session = await twin.sessions.get("s")
        assert (session.title, session.status, session.metadata) == ("set", "completed", {"k": 1})
        assert stored.version == session.version
        await keep.messages.append("empty", [], create={"title": "empty"})
        assert (await twin.sessions.get("empty")).message_count == 0

    @proves("SES-7")
    async def test_on_a_living_session_create_is_not_looked_at(self, keep: Keep, twin: Keep) -> None:
        before = await keep.sessions.create("s", title="first", metadata={"k": 1})
        stored = await twin.messages.append("s", numbered(1), create={"title": "second", "metadata": {"k": 2}})
        session = await keep.sessions.get("s")
        assert (session.title, session.metadata, session.created_at) == ("first", {"k": 1}, before.created_at)
        assert (stored.version, session.version, seqs(stored)) == (before.version, before.version, [1])
        assert await twin.sessions.count(metadata={"k": 2}) == 0

    @proves("SES-7", "ORD-4")
    async def test_version_0_means_that_there_is_none_yet(self, keep: Keep, twin: Keep) -> None:
        with pytest.raises(SessionNotFound):
            await keep.messages.append("s", [said()], expected_version=0)
        first = await keep.messages.append("s", [said()], create={}, expected_version=0, expected_last_seq=0)
        before = await whole(keep, "s")
        with pytest.raises(Conflict) as caught:
            await twin.messages.append("s", [said()], create={}, expected_version=0)
        assert (caught.value.kind, caught.value.expected, caught.value.actual) == ("version", 0, first.version)
        assert await whole(keep, "s") == before
        await twin.messages.append("s", [said()], create={}, expected_version=first.version)

    @proves("SES-7", "ORD-6")
    async def test_an_append_that_fails_makes_no_session(self, keep: Keep, twin: Keep) -> None:
        wrong: list[tuple[type[Exception], dict[str, Any]]] = [
            (Conflict, {"expected_version": 1}),
            (Conflict, {"expected_last_seq": 1}),
            (LimitExceeded, {"add": {f"n{n}": 1 for n in range(65)}}),
            (InvalidInput, {"update": {"titel": "t"}}),
            (InvalidInput, {"messages": [said(), said("\ud800")]}),
            (InvalidInput, {"create": {"titel": "t"}}),
        ]
        for kind, call in wrong:
            whole_call: dict[str, Any] = {"messages": [said()], "create": {}, **call}
            with pytest.raises(kind):
                await keep.messages.append("s", **whole_call)
            assert await twin.sessions.find("s") is None
        assert await twin.sessions.count() == 0

    @proves("SES-7", "IDEM-1")
    async def test_a_repeated_call_returns_what_the_first_did(self, keep: Keep, twin: Keep) -> None:
        call: dict[str, Any] = {"create": {"title": "t"}, "add": {"n": 1}, "expected_version": 0}
        first = await keep.messages.append("s", numbered(2), **call)
        await keep.messages.append("s", [said("later")], update={"title": "u"})
        before = await whole(keep, "s")
        again = await twin.messages.append("s", numbered(2), **call)
        assert again == Appended(first.messages, version=first.version, last_seq=2, new=0)
        assert await whole(keep, "s") == before

    @proves("SES-7", "SES-4", "TTL-1", "SES-2")
    async def test_an_expired_session_is_made_anew(self, keep: Keep, twin: Keep) -> None:
        async def fill(life: timedelta) -> int:
            made = await keep.sessions.create("s", **FULL_SESSION, ttl=life)
            await keep.messages.append("s", numbered(50), add={"n": 1})
            return made.version

        version = await filled_in_time(fill)
        await expired(twin, "s")
        stored = await twin.messages.append("s", [said("other", id="m1")], create={"title": "new"})
        session, messages = await whole(keep, "s")
        assert (seqs(messages), messages[0].content, stored.new) == ([1], "other", 1)
        assert (session.title, session.state, session.counters, session.expires_at) == ("new", {}, {}, None)
        assert session.version != version
        assert await keep.sessions.count(metadata={"team": "blue"}) == 0
        await keep.sweep()
        assert await whole(twin, "s") == (session, messages)

    @proves("SES-7", "ORD-1", "ORD-4")
    async def test_racing_callers_make_one_session_and_all_messages_land(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        for round_ in range(rounds_of(database, 6)):
            calls = [
                (keep, twin)[n % 2].messages.append(
                    f"s{round_}", [said(id=f"{n}.a"), said(id=f"{n}.b")], create={"title": f"w{n}"}, add={"n": 1}
                )
                for n in range(8)
            ]
            found = await asyncio.gather(*calls)
            session, messages = await whole(keep, f"s{round_}")
            assert seqs(messages) == list(range(1, 17))
            assert {message.id for message in messages} == {message.id for stored in found for message in stored}
            assert [stored[0].seq + 1 for stored in found] == [stored[1].seq for stored in found]
            first = next(stored for stored in found if stored[0].seq == 1)
            assert session.title == f"w{first[0].id[0]}"
            assert session.counters == {"n": 8}
            assert {stored.version for stored in found} == {session.version}

    @proves("SES-7", "ORD-4")
    async def test_of_racing_callers_that_expect_none_yet_one_wins(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        for round_ in range(rounds_of(database, 6)):
            calls = [
                (keep, twin)[n % 2].messages.append(f"s{round_}", [said(f"{n}")], create={}, expected_version=0)
                for n in range(8)
            ]
            found = await outcomes(calls)
            [winner] = [stored for stored in found if isinstance(stored, Appended)]
            losers = [error for error in found if isinstance(error, Conflict)]
            assert {(error.kind, error.actual) for error in losers} == {("version", winner.version)}
            assert len(losers) == 7
            assert await log(twin, f"s{round_}") == list(winner)

    @proves("SES-1", "SES-4", "SES-7")
    @pytest.mark.parametrize("verb", ["create", "append"])
    async def test_of_racing_callers_over_a_long_expired_session_one_makes_it_anew(
        self, database: Database, keep: Keep, twin: Keep, verb: str
    ) -> None:
        """What removes the old messages takes a while, and must not remove what another caller has made meanwhile."""
        for round_ in range(rounds_of(database, 3)):
            name = f"s{round_}"
            await _expired_of(keep, name, messages=600)
            callers = [keep, twin, keep]
            await asyncio.gather(*(caller.sessions.find(name) for caller in callers))  # each has its connection now
            if verb == "create":
                found = await outcomes([caller.sessions.create(name, title=f"{n}") for n, caller in enumerate(callers)])
                winners = [each for each in found if isinstance(each, Session)]
                assert len(winners) == 1, found
                assert [type(each) for each in found if each not in winners] == [AlreadyExists] * 2
                assert await whole(twin, name) == (winners[0], [])
            else:
                appends = [caller.messages.append(name, [said(f"{n}")], create={}) for n, caller in enumerate(callers)]
                landed = [message for stored in await asyncio.gather(*appends) for message in stored]
                assert await log(twin, name) == sorted(landed, key=lambda message: message.seq)
                assert sorted(seqs(landed)) == [1, 2, 3]

    @proves("ISO-4", "SES-1")
    @pytest.mark.parametrize("verb", ["get_or_create", "append"])
    @pytest.mark.parametrize("owner", [None, "ann", "bob"])
    @pytest.mark.parametrize("named", [None, "bob"])
    @pytest.mark.parametrize("view", [None, "bob"])
    async def test_who_names_a_user_gets_no_other_users_session(
        self, keep: Keep, twin: Keep, verb: str, owner: str | None, named: str | None, view: str | None
    ) -> None:
        await keep.sessions.create("s", user_id=owner, title="t")
        await keep.messages.append("s", numbered(1))
        before = await whole(keep, "s")
        asking = twin if view is None else twin.for_user(view)
        fields: Any = {} if named is None else {"user_id": named}

        async def call() -> str:
            if verb == "get_or_create":
                return (await asking.sessions.get_or_create("s", **fields)).title or ""
            await asking.messages.append("s", numbered(1), create=fields)
            return "t"

        if (named or view) in (None, owner):
            assert await call() == "t"
        else:
            with pytest.raises(AlreadyExists):
                await call()
        assert await whole(keep, "s") == before

    @proves("SES-7", "ISO-1")
    async def test_a_users_view_makes_sessions_of_that_user(self, keep: Keep) -> None:
        bob = keep.for_user("bob")
        await bob.messages.append("s", [said()], create={})
        assert (await keep.sessions.get("s")).user_id == "bob"
        with pytest.raises(InvalidInput):
            await bob.messages.append("t", [said()], create={"user_id": "ann"})
        assert await keep.sessions.find("t") is None
        await keep.sessions.create("anns", user_id="ann")
        with pytest.raises(SessionNotFound):
            await bob.messages.append("anns", [said()])
        await keep.for_tenant("other").messages.append("s", [said()], create={"title": "theirs"})
        assert (await keep.sessions.get("s")).title is None


async def _expired_of(keep: Keep, name: str, *, messages: int) -> None:
    """A session that had so many messages."""

    async def fill(life: timedelta) -> None:
        await keep.messages.append(name, numbered(messages), create={"metadata": {"k": "v"}, "ttl": life})

    await filled_in_time(fill)
    await expired(keep, name)
