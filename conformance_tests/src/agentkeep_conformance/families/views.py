"""What a user's view makes of a call that names a user: itself, nobody, or another one (ISO-1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from agentkeep import InvalidInput, Keep, SessionNotFound, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.families.isolation import furnish, seen
from agentkeep_conformance.samples import everything, said

Naming = Callable[[View, str | None], Awaitable[Any]]
"""A call that names a user, or None."""

_MADE: dict[str, Naming] = {
    "create": lambda view, user: view.sessions.create("new", user_id=user),
    "get_or_create": lambda view, user: view.sessions.get_or_create("new", user_id=user),
    "append": lambda view, user: view.messages.append("new", [said()], create={"user_id": user}),
    "append of nothing": lambda view, user: view.messages.append("new", [], create={"user_id": user}),
}
_CHANGED: dict[str, Naming] = {
    "update": lambda view, user: view.sessions.update("s", user_id=user),
    "update of more": lambda view, user: view.sessions.update("s", title="new", add={"n": 1}, user_id=user),
    "append": lambda view, user: view.messages.append("s", [said()], update={"user_id": user}),
    "append of nothing": lambda view, user: view.messages.append("s", [], update={"user_id": user}),
    "fork": lambda view, user: view.sessions.fork("s", new_id="new", update={"user_id": user}),
}
_FILTERED: dict[str, Naming] = {
    "list": lambda view, user: view.sessions.list(user_id=user),
    "list with another filter": lambda view, user: view.sessions.list(
        user_id=user, status="active", order="created_at"
    ),
    "list by metadata": lambda view, user: view.sessions.list(user_id=user, metadata={"k": "canary"}),
    "iterate": lambda view, user: everything(view.sessions.iterate(user_id=user)),
    "count": lambda view, user: view.sessions.count(user_id=user),
    "count with another filter": lambda view, user: view.sessions.count(user_id=user, agent_name="a"),
    "find_active": lambda view, user: view.sessions.find_active(user or ""),
    "delete_many": lambda view, user: view.sessions.delete_many(user_id=user),
    "delete_many by metadata": lambda view, user: view.sessions.delete_many(user_id=user, metadata={"k": "canary"}),
    "delete_many, dry": lambda view, user: view.sessions.delete_many(user_id=user, agent_name="a", dry_run=True),
    "delete_user": lambda view, user: view.sessions.delete_user(user or ""),
    "search": lambda view, user: view.messages.search("canary", user_id=user),
    "search by agent": lambda view, user: view.messages.search("canary", user_id=user, agent_name="a"),
    "search by role": lambda view, user: view.messages.search("x", user_id=user, role="user"),
}
_LONG = 600
_READ: dict[str, Callable[[View], Awaitable[Any]]] = {
    "resume": lambda view: view.sessions.resume("s", tail=5),
    "tail": lambda view: view.messages.tail("s", 5),
    "whole turns": lambda view: view.messages.tail("s", 5, whole_turns=True),
    "list": lambda view: view.messages.list("s", after=3, limit=5),
    "get_many": lambda view: view.messages.get_many("s", ["m1", "m599"]),
}


class Views:
    @proves("ISO-1")
    @pytest.mark.parametrize("way", _MADE)
    async def test_what_a_users_view_makes_is_that_users(self, keep: Keep, twin: Keep, way: str) -> None:
        mine = keep.for_user("u")
        with pytest.raises(InvalidInput):
            await _MADE[way](mine, "other")
        assert await twin.sessions.count() == 0
        for user in (None, "u"):
            await _MADE[way](mine, user)
            assert (await twin.sessions.get("new")).user_id == "u"
            await twin.sessions.delete("new")

    @proves("ISO-1")
    @pytest.mark.parametrize("way", _CHANGED)
    @pytest.mark.parametrize("user", [None, "other"])
    async def test_no_write_takes_a_session_out_of_a_users_view(
        self, keep: Keep, twin: Keep, way: str, user: str | None
    ) -> None:
        await furnish(keep, "x")
        before = await seen(twin)
        with pytest.raises(InvalidInput):
            await _CHANGED[way](keep.for_user("u"), user)
        assert await seen(twin) == before
        await _CHANGED[way](keep.for_user("u"), "u")
        assert {session.user_id for session, _ in await seen(twin)} == {"u"}

    @proves("ISO-1", "SRCH-1")
    @pytest.mark.parametrize("call", _FILTERED)
    async def test_a_users_view_that_asks_for_another_user_finds_nothing(
        self, keep: Keep, twin: Keep, call: str
    ) -> None:
        if call.startswith("search") and not keep.capabilities.search:
            return
        for user in ("u", "other"):
            await keep.sessions.create(user, user_id=user, agent_name="a", metadata={"k": "canary"})
            await keep.messages.append(user, [said("canary x")])
        before = await seen(twin)
        found = await _FILTERED[call](keep.for_user("u"), "other")
        assert "canary" not in repr(found)
        assert found in (None, 0, []) or not found.items
        assert await seen(twin) == before
        assert await _FILTERED[call](twin.for_user("other"), "other") not in (None, 0, [])

    @proves("ISO-1", "SES-4")
    @pytest.mark.parametrize("read", _READ)
    async def test_a_long_session_is_absent_for_another_user_and_once_it_is_deleted(
        self, keep: Keep, read: str
    ) -> None:
        """An adapter may hold the messages of a long log apart from the session, and find them alone."""
        await keep.sessions.create("s", user_id="u")
        await keep.messages.append("s", [said(id=f"m{number}") for number in range(_LONG)])
        assert await _READ[read](keep.for_user("u")) is not None
        with pytest.raises(SessionNotFound):
            await _READ[read](keep.for_user("other"))
        await keep.sessions.delete("s")
        with pytest.raises(SessionNotFound):
            await _READ[read](keep)
        await keep.sessions.create("s", user_id="u")
        assert await keep.messages.tail("s", 5) == []
