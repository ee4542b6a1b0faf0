"""Versions over all lives of an id, and deleting only what was seen (SES-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import AlreadyExists, Conflict, Keep, Session, SessionNotFound, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.families.ttl import expired, filled_in_time
from agentkeep_conformance.samples import numbered, restore_as, said, whole

Birth = Callable[[View], Awaitable[Any]]

BIRTHS: dict[str, Birth] = {
    "create": lambda keep: keep.sessions.create("s"),
    "get_or_create": lambda keep: keep.sessions.get_or_create("s"),
    "append": lambda keep: keep.messages.append("s", [said()], create={}),
    "fork": lambda keep: keep.sessions.fork("parent", new_id="s"),
}
"""Ways by which session "s" begins."""

STALE: dict[str, Callable[[View, int], Awaitable[Any]]] = {
    "update": lambda keep, version: keep.sessions.update("s", title="stale", expected_version=version),
    "add": lambda keep, version: keep.sessions.update("s", add={"n": 1}, expected_version=version),
    "append": lambda keep, version: keep.messages.append("s", [said("stale")], expected_version=version),
    "append with create": lambda keep, version: keep.messages.append(
        "s", [said("stale")], create={}, expected_version=version
    ),
    "delete": lambda keep, version: keep.sessions.delete("s", expected_version=version),
}
"""What a writer may do that still has a version of an earlier life."""


COPIES: dict[str, Callable[[View, str], Awaitable[Any]]] = {
    "a fork": lambda keep, new_id: keep.sessions.fork("s", new_id=new_id),
    "a fork with an update": lambda keep, new_id: keep.sessions.fork("s", new_id=new_id, update={"title": "t"}),
    "a restored session": lambda keep, new_id: restore_as(keep, keep, "s", new_id),
}
"""Ways by which the messages of session "s" get into another session."""


class Versions:
    @proves("SES-2", "SES-4")
    @pytest.mark.parametrize("birth", BIRTHS)
    async def test_no_version_is_given_to_two_lives(self, keep: Keep, twin: Keep, birth: str) -> None:
        await keep.sessions.create("parent")
        seen: set[int] = set()
        for number in range(12):
            await BIRTHS[birth]((keep, twin)[number % 2])
            versions = [(await twin.sessions.get("s")).version]
            versions += [(await keep.sessions.update("s", title=str(n))).version for n in range(number % 4)]
            assert versions == list(range(versions[0], versions[0] + len(versions)))
            assert not seen & set(versions), "a version of an earlier life was given again"
            seen |= set(versions)
            assert await keep.sessions.delete("s")

    @proves("SES-2", "ORD-4", "TTL-1")
    @pytest.mark.parametrize("end", ["deleted", "expired"])
    @pytest.mark.parametrize("call", STALE)
    async def test_a_writer_of_an_earlier_life_is_stale(self, keep: Keep, twin: Keep, call: str, end: str) -> None:
        async def fill(life: timedelta | None) -> list[int]:
            made = await keep.sessions.create("s", ttl=life)
            return [made.version, *[(await keep.sessions.update("s", title=str(n))).version for n in range(3)]]

        versions = await (filled_in_time(fill) if end == "expired" else fill(None))
        if end == "expired":
            await expired(twin, "s")
        else:
            await twin.sessions.delete("s")
        await twin.sessions.create("s", title="new")
        await twin.messages.append("s", numbered(2))
        for _ in range(3):
            await twin.sessions.update("s", current_step="x")
        before = await whole(keep, "s")
        for version in versions:
            with pytest.raises(Conflict) as caught:
                await STALE[call](keep, version)
            assert (caught.value.kind, caught.value.actual) == ("version", before[0].version)
        assert await whole(keep, "s") == before

    @proves("SES-2", "SES-6")
    async def test_delete_at_a_version_removes_only_what_was_seen(self, keep: Keep, twin: Keep) -> None:
        first = await keep.sessions.create("s", user_id="u")
        await keep.messages.append("s", numbered(2))
        second = await twin.sessions.update("s", title="t")
        before = await whole(keep, "s")
        for stale in (first.version, 0, second.version + 1):
            with pytest.raises(Conflict) as caught:
                await keep.sessions.delete("s", expected_version=stale)
            assert (caught.value.kind, caught.value.expected) == ("version", stale)
            assert caught.value.actual == second.version
        assert await whole(keep, "s") == before
        assert not await keep.for_user("other").sessions.delete("s", expected_version=second.version)
        assert not await keep.for_tenant("other").sessions.delete("s", expected_version=second.version)
        await keep.messages.append("s", [said()])  # an append without an update leaves the version
        assert await twin.sessions.delete("s", expected_version=second.version)
        assert not await twin.sessions.delete("s", expected_version=second.version)
        assert await keep.sessions.count() == 0

    @proves("SES-2", "SES-6", "ORD-4")
    async def test_of_a_racing_update_and_delete_at_one_version_one_wins(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        for number in range(rounds_of(database, 10)):
            version = (await keep.sessions.create(f"s{number}")).version
            updated, deleted = await asyncio.gather(
                keep.sessions.update(f"s{number}", title="t", expected_version=version),
                twin.sessions.delete(f"s{number}", expected_version=version),
                return_exceptions=True,
            )
            left = await keep.sessions.find(f"s{number}")
            if isinstance(updated, Session):
                assert isinstance(deleted, Conflict)
                assert left == updated
            else:
                assert (deleted, left) == (True, None)
                assert isinstance(updated, SessionNotFound)

    @proves("SES-2", "SES-4")
    async def test_versions_stay_apart_while_lives_race(self, database: Database, keep: Keep, twin: Keep) -> None:
        """Each write that is acknowledged has a version of its own, whoever deletes and creates in between."""
        seen: list[int] = []

        async def come_and_go(instance: Keep, who: int) -> None:
            calls: list[Any] = [
                lambda: instance.sessions.create("s", title=f"{who}"),
                lambda: instance.sessions.update("s", title=f"{who}"),
                lambda: instance.sessions.delete("s"),
            ]
            for call in calls * rounds_of(database, 5):
                try:
                    found = await call()
                except (AlreadyExists, SessionNotFound):
                    continue
                if isinstance(found, Session):
                    seen.append(found.version)

        await asyncio.gather(*(come_and_go((keep, twin)[who % 2], who) for who in range(6)))
        assert seen, "nothing was acknowledged"
        assert len(set(seen)) == len(seen)

    @proves("SES-2", "CNT-1")
    async def test_what_an_append_returns_is_what_the_next_may_expect(self, keep: Keep, twin: Keep) -> None:
        """An agent's turns need no `get` in between."""
        await keep.sessions.create("s")
        last = await keep.messages.append("s", numbered(1), update={"current_step": "0"})
        for turn in range(1, 5):
            instance = (keep, twin)[turn % 2]
            last = await instance.messages.append(
                "s",
                numbered(2, start=10 * turn),
                update={"current_step": str(turn)} if turn % 2 else None,
                expected_version=last.version,
                expected_last_seq=last.last_seq,
            )
            session = await keep.sessions.get("s")
            assert (last.version, last.last_seq, last.new) == (session.version, session.last_seq, 2)
        with pytest.raises(Conflict):
            await keep.messages.append("s", [said()], expected_version=last.version - 1)

    @proves("SES-2", "SES-5", "IDEM-1")
    @pytest.mark.parametrize("way", COPIES)
    async def test_what_a_repetition_in_a_copy_returns_is_what_the_next_may_expect(
        self, keep: Keep, twin: Keep, way: str
    ) -> None:
        """The copied messages are as old as the copy: the version that they had elsewhere is none of its versions."""
        await keep.sessions.create("s")
        for number in range(3):
            await keep.messages.append("s", numbered(1, start=number + 1), update={"current_step": f"{number}"})
        await COPIES[way](keep, "copy")
        copy = await keep.sessions.get("copy")
        for instance, count in ((keep, 1), (twin, 3)):
            again = await instance.messages.append("copy", numbered(count))
            assert (again.version, again.last_seq, again.new) == (copy.version, count, 0)
        next = await twin.messages.append("copy", [said()], expected_version=again.version, expected_last_seq=3)
        assert (next.version, next.last_seq, next.new) == (copy.version, 4, 1)
