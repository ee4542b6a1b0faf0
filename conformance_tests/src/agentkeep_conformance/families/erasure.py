"""What was erased is gone from the server, not only from the answers: a raw scan of all it stores finds no trace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from agentkeep import Keep, NewMessage, View

from agentkeep_conformance.canaries import Canary, found_in, found_later_in
from agentkeep_conformance.clauses import needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.ttl import expired, filled_in_time
from agentkeep_conformance.small_steps import small_steps

Erase = Callable[[View, Canary], Awaitable[Any]]

OF_SESSIONS: dict[str, Erase] = {
    "delete": lambda keep, canary: keep.sessions.delete(canary.session_id),
    "delete_many": lambda keep, canary: keep.sessions.delete_many(agent_name=canary.at("agent")),
    "delete_many by metadata": lambda keep, canary: keep.sessions.delete_many(
        metadata={canary.at("metakey"): canary.at("meta")}
    ),
    "delete_user": lambda keep, canary: keep.sessions.delete_user(canary.at("user")),
    "a user's view's delete": lambda keep, canary: keep.for_user(canary.at("user")).sessions.delete(canary.session_id),
}
OF_MESSAGES: dict[str, Erase] = {
    "truncate": lambda keep, canary: keep.messages.truncate(canary.session_id, after_seq=0),
    "trim": lambda keep, canary: keep.messages.trim(canary.session_id, keep_last=0),
    "clear": lambda keep, canary: keep.messages.clear(canary.session_id),
    "append with truncate_after": lambda keep, canary: keep.messages.append(
        canary.session_id, [NewMessage(role="user", content="x")], truncate_after=0
    ),
    "append with keep_last": lambda keep, canary: keep.messages.append(
        canary.session_id, [NewMessage(role="user", content="x")], keep_last=1
    ),
}
OTHERS_GO: dict[str, Callable[[View], Awaitable[Any]]] = {
    "delete": lambda keep: keep.sessions.delete("other"),
    "delete_many": lambda keep: keep.sessions.delete_many(metadata={"k": "v"}),
    "delete_user": lambda keep: keep.sessions.delete_user("u"),
    "a user's view's delete": lambda keep: keep.for_user("u").sessions.delete("other"),
}


async def _pop_all(keep: View, canary: Canary) -> None:
    for _ in canary.messages():
        await keep.messages.pop(canary.session_id)


OF_MESSAGES["pop"] = _pop_all


class Erasure:
    @proves("SES-6")
    @pytest.mark.parametrize("way", OF_SESSIONS)
    async def test_a_deleted_session_leaves_no_trace(self, database: Database, keep: Keep, way: str) -> None:
        gone, neighbour = Canary(), Canary()
        for canary in (gone, neighbour):
            await canary.store(keep)
        assert await found_in(database, gone.all) == gone.all, "the scan doesn't see what is stored"
        await OF_SESSIONS[way](keep, gone)
        assert await found_in(database, gone.all) == []
        assert await found_in(database, neighbour.all) == neighbour.all

    @proves("SES-6", "CNT-1")
    @pytest.mark.parametrize("way", OF_MESSAGES)
    async def test_removed_messages_leave_no_trace(self, database: Database, keep: Keep, way: str) -> None:
        gone, neighbour = Canary(), Canary()
        for canary in (gone, neighbour):
            await canary.store(keep)
        assert await found_in(database, gone.of_messages) == gone.of_messages, "the scan doesn't see what is stored"
        await OF_MESSAGES[way](keep, gone)
        assert await found_later_in(database, gone.of_messages) == []
        assert await found_in(database, neighbour.all) == neighbour.all

    @proves("SES-6")
    async def test_what_is_redacted_or_replaced_leaves_no_trace(self, database: Database, keep: Keep) -> None:
        canary = Canary()
        await canary.store(keep)
        await keep.messages.update(canary.session_id, canary.at("message"), content="-", tool_calls=None, name=None)
        await keep.messages.update(canary.session_id, canary.at("message") + "2", content=[], event=None, metadata={})
        redacted = ("content", "calls", "name", "part", "event", "mmeta")
        assert await found_in(database, [canary.at(field) for field in redacted]) == []
        await keep.sessions.update(canary.session_id, title=None, state={}, metadata={}, current_route="-")
        replaced = ("title", "state", "statekey", "meta", "metakey", "route")
        assert await found_later_in(database, [canary.at(field) for field in replaced]) == []

    @proves("TTL-2", "SES-6")
    async def test_an_expired_session_leaves_no_trace_after_a_sweep(self, database: Database, keep: Keep) -> None:
        gone, neighbour = await filled_in_time(partial(_stored, keep)), Canary()
        await neighbour.store(keep, ttl=timedelta(hours=1))
        await expired(keep, gone.session_id)
        await keep.sweep()
        assert await found_in(database, gone.all) == []
        assert await found_in(database, neighbour.all) == neighbour.all

    @proves("TTL-2")
    async def test_a_sweep_of_a_view_leaves_the_rest_to_later_ones(self, database: Database, keep: Keep) -> None:
        tenant = keep.for_tenant("t")
        first, later = Canary(), Canary()
        for canary in (first, later):
            await canary.store(tenant)
        for canary, view in ((first, tenant), (later, keep)):
            await tenant.sessions.update(canary.session_id, ttl=timedelta(seconds=0.3))
            await expired(tenant, canary.session_id)
            await view.sweep()
            assert await found_in(database, canary.all) == []

    @proves("TTL-2")
    async def test_a_sweep_comes_to_tenants_whose_other_session_is_gone(self, database: Database, keep: Keep) -> None:
        """Reads have met the session that goes, and nothing has met the one that stays until it expires."""
        words = {way: f"canary{uuid4().hex}" for way in OTHERS_GO}
        for way, word in words.items():
            tenant = keep.for_tenant(way)
            await tenant.sessions.create("other", user_id="u", metadata={"k": "v"})
            assert await tenant.sessions.count() == len((await tenant.sessions.list()).items) == 1
            await tenant.sessions.create(word)
            await OTHERS_GO[way](tenant)
            await tenant.sessions.update(word, ttl=timedelta(seconds=0.2))
        for way, word in words.items():
            await expired(keep.for_tenant(way), word)
        await keep.sweep()
        assert await found_in(database, [*words.values()]) == []

    @proves("TTL-2")
    async def test_a_users_sweep_passes_by_the_expired_of_others(self, database: Database, keep: Keep) -> None:
        """Its steps are small, so some of them end among the sessions of one user, and some meet both users'."""
        words = {user: f"canary{uuid4().hex[:12]}" for user in ("u0", "u1")}
        names = [(user, f"{word} {part} {n}") for part in (1, 2) for user, word in words.items() for n in range(3)]
        for user, name in names:
            await keep.sessions.create(name, user_id=user)
        for _, name in names:
            await keep.sessions.update(name, ttl=timedelta(seconds=0.2))
        for _, name in names:
            await expired(keep, name)
        for user, word in words.items():
            with small_steps(database.enrolment.small_steps):
                await keep.for_user(user).sweep()
            assert await found_in(database, [word]) == []

    @proves("TTL-2", "SES-4")
    async def test_a_new_session_leaves_no_trace_of_the_expired_one(self, database: Database, keep: Keep) -> None:
        gone = await filled_in_time(partial(_stored, keep))
        await expired(keep, gone.session_id)
        await keep.sessions.create(gone.session_id)
        await keep.sweep()
        assert await found_in(database, gone.all) == [gone.session_id]
        assert await keep.messages.count(gone.session_id) == 0

    @proves("SES-6", "SES-5")
    async def test_a_fork_and_its_parent_are_erased_apart(self, database: Database, keep: Keep) -> None:
        canary = Canary()
        await canary.store(keep)
        await keep.sessions.fork(canary.session_id, new_id="fork")
        await keep.sessions.delete(canary.session_id)
        assert await keep.messages.count("fork") == 2
        assert await found_in(database, [canary.at("content")]) == [canary.at("content")]
        await keep.sessions.delete("fork")
        assert await found_in(database, canary.all) == []

    @proves("ISO-3")
    @needs_wire
    async def test_all_that_is_written_is_inside_the_namespace(self, database: Database) -> None:
        """What is left when the namespace is dropped was written outside of it."""
        elsewhere = database.other_namespace()
        inside, outside = Canary(), Canary()
        keep, other = await database.keep(), await elsewhere.keep()
        await inside.store(keep)
        await outside.store(other)
        await keep.close()
        await database.enrolment.drop(database.dsn, database.namespace)
        assert await found_in(elsewhere, inside.all) == []
        assert await found_in(elsewhere, outside.all) == outside.all


async def _stored(keep: View, life: timedelta) -> Canary:
    canary = Canary()
    await canary.store(keep, ttl=life)
    return canary
