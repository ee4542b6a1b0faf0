"""How long a session lives: until a fixed end, for an idle time, or both (TTL-1, TTL-3)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from agentkeep import InvalidInput, Keep, Session, SessionNotFound, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.ttl import HOUR, ROUNDING, SHORT, expired, filled_in_time
from agentkeep_conformance.samples import FULL_SESSION, HandClock, Verb, everything, ids, numbered, said

DAY = timedelta(days=1)
LIMITS: dict[str, dict[str, timedelta | float | None]] = {
    "none": {},
    "a fixed end": {"ttl": DAY},
    "an idle time": {"idle_ttl": HOUR},
    "both": {"ttl": DAY, "idle_ttl": HOUR},
    "both, and the fixed end is the earlier": {"ttl": HOUR / 2, "idle_ttl": HOUR},
    "in seconds": {"ttl": 86_400, "idle_ttl": 3_600.5},
}
"""What a session is given when it is made."""

SLIDING: dict[str, Verb] = {
    "append": lambda keep: keep.messages.append("s", [said()]),
    "append of counters": lambda keep: keep.messages.append("s", [], add={"n": 1}),
    "append of fields": lambda keep: keep.messages.append("s", [], update={"title": "t"}),
    "append with create": lambda keep: keep.messages.append("s", [said()], create={"idle_ttl": DAY}),
    "append with skip": lambda keep: keep.messages.append("s", [said(id="m1"), said(id="n")], stored="skip"),
    "touch": lambda keep: keep.sessions.touch("s"),
}
"""What slides the idle time of a session with the message "m1"."""

STANDING: dict[str, Verb] = {
    "a repeated append": lambda keep: keep.messages.append("s", numbered(1)),
    "an append of nothing new": lambda keep: keep.messages.append("s", numbered(1), stored="skip", add={"n": 1}),
    "an append of nothing": lambda keep: keep.messages.append("s", []),
    "update": lambda keep: keep.sessions.update("s", title="t", metadata={"k": 1}),
    "get_or_create": lambda keep: keep.sessions.get_or_create("s", ttl=DAY * 9, idle_ttl=DAY),
    "redaction": lambda keep: keep.messages.update("s", "m1", content="c"),
    "reads": lambda keep: asyncio.gather(keep.sessions.get("s"), keep.sessions.resume("s"), keep.messages.tail("s", 5)),
    "pop": lambda keep: keep.messages.pop("s"),
    "trim": lambda keep: keep.messages.trim("s", keep_last=0),
    "clear": lambda keep: keep.messages.clear("s"),
    "fork": lambda keep: keep.sessions.fork("s"),
}
"""What leaves the end of such a session where it is."""

READS: dict[str, Verb] = {
    "find": lambda keep: keep.sessions.find("s"),
    "get_many": lambda keep: keep.sessions.get_many(["s"]),
    "list": lambda keep: everything(keep.sessions.iterate()),
    "list by creation": lambda keep: everything(keep.sessions.iterate(order="created_at")),
    "list of a user": lambda keep: everything(keep.sessions.iterate(user_id="u1")),
    "list of agent and status": lambda keep: everything(keep.sessions.iterate(agent_name="support", status="active")),
    "list by metadata": lambda keep: everything(keep.sessions.iterate(metadata={"team": "blue", "n": 3})),
    "find_active": lambda keep: keep.sessions.find_active("u1"),
    "count": lambda keep: keep.sessions.count(),
    "count of a user": lambda keep: keep.sessions.count(user_id="u1"),
    "count by metadata": lambda keep: keep.sessions.count(metadata={"team": "blue"}),
    "a dry run": lambda keep: keep.sessions.delete_many(user_id="u1", dry_run=True),
    "resume": lambda keep: _or_none(keep.sessions.resume("s")),
    "messages.list": lambda keep: _or_none(keep.messages.list("s")),
    "messages.get_many": lambda keep: _or_none(keep.messages.get_many("s", ["m1"])),
    "messages.count": lambda keep: _or_none(keep.messages.count("s")),
    "search": lambda keep: _search(keep),
    "search in it": lambda keep: _or_none(_search(keep, session_id="s")),
}
"""Reads that find something of the session "s" while it lives, and nothing (0, empty or None) afterwards."""


async def _or_none(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except SessionNotFound:
        return None


async def _search(keep: View, **filters: Any) -> Any:
    if keep.capabilities.search:
        return await keep.messages.search("text", **filters)
    return await keep.sessions.get_many(["s"])


async def _full(keep: View, **limits: Any) -> Session:
    await keep.sessions.create("s", **FULL_SESSION, **limits)
    await keep.messages.append("s", numbered(2))
    return await keep.sessions.get("s")


def _check(session: Session, *, ttl: Any = None, idle_ttl: Any = None, since: datetime | None = None) -> None:
    """The session ends when these limits say; the fixed end counts from `since`, else from its creation."""
    ends = [
        limit for limit in (_after(since or session.created_at, ttl), _after(session.updated_at, idle_ttl)) if limit
    ]
    _near(session.ends_at, _after(since or session.created_at, ttl))
    assert session.idle_ttl == _delta(idle_ttl)
    _near(session.expires_at, min(ends, default=None))


def _delta(value: timedelta | float | None) -> timedelta | None:
    return timedelta(seconds=value) if isinstance(value, int | float) else value


def _after(moment: datetime, limit: timedelta | float | None) -> datetime | None:
    delta = _delta(limit)
    return None if delta is None else moment + delta


def _near(found: datetime | None, wanted: datetime | None) -> None:
    if found is None or wanted is None:
        assert found == wanted
    else:
        assert abs(found - wanted) < ROUNDING, f"{found} instead of {wanted}"


class Expiry:
    @proves("TTL-3")
    @pytest.mark.parametrize("limits", LIMITS)
    @pytest.mark.parametrize("by", ["create", "get_or_create", "append"])
    async def test_a_session_ends_as_it_was_told_at_its_creation(
        self, keep: Keep, twin: Keep, by: str, limits: str
    ) -> None:
        fields: Any = LIMITS[limits]
        if by == "append":
            await keep.messages.append("s", [said()], create=fields)
        else:
            created = await getattr(keep.sessions, by)("s", **fields)
            assert created == await twin.sessions.get("s")
        _check(await twin.sessions.get("s"), **fields)

    @proves("TTL-3")
    @pytest.mark.parametrize("by", ["create", "get_or_create", "append"])
    async def test_a_keeps_idle_time_is_the_default_of_new_sessions_alone(self, database: Database, by: str) -> None:
        hourly, plain = await database.keep(idle_ttl=HOUR), await database.keep()
        daily = await database.keep(idle_ttl=DAY)

        async def made(name: str, **given: Any) -> Session:
            fields: Any = given
            if by == "append":
                await hourly.messages.append(name, [said()], create=fields)
                return await hourly.sessions.get(name)
            return await getattr(hourly.sessions, by)(name, **fields)

        _check(await made("default"), idle_ttl=HOUR)
        _check(await made("own", idle_ttl=HOUR * 2), idle_ttl=HOUR * 2)
        _check(await made("never", idle_ttl=None))
        _check(await made("fixed", ttl=HOUR / 2), ttl=HOUR / 2, idle_ttl=HOUR)
        await plain.sessions.create("plain")
        for keep in (daily, plain, hourly):
            for name, idle_ttl in (("default", HOUR), ("own", HOUR * 2), ("never", None), ("plain", None)):
                await keep.messages.append(name, [said()])
                _check(await keep.sessions.get(name), idle_ttl=idle_ttl)
                _check(await keep.sessions.touch(name), idle_ttl=idle_ttl)
                _check(await keep.sessions.get_or_create(name, idle_ttl=DAY), idle_ttl=idle_ttl)
                await keep.messages.append(name, [said()], create={"idle_ttl": DAY, "ttl": DAY})
                _check(await keep.sessions.get(name), idle_ttl=idle_ttl)

    @proves("TTL-3")
    @pytest.mark.parametrize("verb", SLIDING)
    async def test_use_slides_the_idle_time_and_not_the_fixed_end(self, database: Database, verb: str) -> None:
        keep = await database.keep()
        for tenant, ttl in (("idle", None), ("later", DAY), ("earlier", HOUR / 2)):
            view = keep.for_tenant(tenant)
            before = await _full(view, ttl=ttl, idle_ttl=HOUR)
            await asyncio.sleep(0.02)
            await SLIDING[verb](view)
            after = await view.sessions.get("s")
            assert after.ends_at == before.ends_at
            assert after.updated_at > before.updated_at
            _check(after, ttl=ttl, idle_ttl=HOUR)
            assert before.expires_at is not None
            assert after.expires_at is not None
            assert (after.expires_at > before.expires_at + timedelta(milliseconds=10)) == (tenant != "earlier")

    @proves("TTL-3", "IDEM-1", "IDEM-3")
    @pytest.mark.parametrize("verb", STANDING)
    async def test_what_is_no_use_leaves_the_end_where_it_is(self, keep: Keep, verb: str) -> None:
        before = await _full(keep, ttl=DAY, idle_ttl=HOUR)
        await asyncio.sleep(0.02)
        await STANDING[verb](keep)
        after = await keep.sessions.get("s")
        assert (after.ends_at, after.idle_ttl, after.expires_at) == (before.ends_at, before.idle_ttl, before.expires_at)

    @proves("TTL-3", "SES-2")
    @pytest.mark.parametrize("by", ["update", "append"])
    async def test_an_update_sets_and_takes_away_each_limit(self, keep: Keep, twin: Keep, by: str) -> None:
        await _full(keep, ttl=DAY, idle_ttl=HOUR)

        async def updated(**fields: Any) -> Session:
            if by == "append":
                await keep.messages.append("s", [], update=fields)  # type: ignore[arg-type]
            else:
                assert await keep.sessions.update("s", **fields) == await keep.sessions.get("s")
            return await twin.sessions.get("s")

        session = await updated(ttl=DAY * 2)
        _check(session, ttl=DAY * 2, idle_ttl=HOUR, since=session.updated_at)
        end = session.ends_at
        session = await updated(idle_ttl=DAY * 3)
        assert (session.ends_at, session.expires_at) == (end, end)
        session = await updated(ttl=None)
        _check(session, idle_ttl=DAY * 3)
        session = await updated(idle_ttl=None)
        _check(session)
        session = await updated(ttl=90)
        _check(session, ttl=90, since=session.updated_at)
        session = await updated(ttl=None, idle_ttl=60.5)
        _check(session, idle_ttl=60.5)
        session = await updated(ttl=HOUR, idle_ttl=DAY)
        _check(session, ttl=HOUR, idle_ttl=DAY, since=session.updated_at)

    @proves("TTL-3", "TTL-1")
    async def test_a_taken_limit_ends_nothing(self, keep: Keep, twin: Keep) -> None:
        async def fill(name: str, life: timedelta) -> timedelta:
            limits: Any = {"ttl" if name == "fixed" else "idle_ttl": life}
            await keep.sessions.create(name, **limits)
            await keep.messages.append(name, numbered(3))
            await keep.sessions.list()  # an index that listings bring up to date knows the former end
            await keep.sessions.update(name, ttl=None, idle_ttl=None)
            return life

        lives = [await filled_in_time(partial(fill, name)) for name in ("fixed", "idle")]
        await keep.sessions.create("witness", ttl=max(lives))
        await expired(keep, "witness")
        await keep.sweep()
        assert ids((await twin.sessions.list(order="created_at")).items) == ["fixed", "idle"]
        for name in ("fixed", "idle"):
            assert ids(await twin.messages.tail(name, 5)) == ["m1", "m2", "m3"]
            assert len(await twin.messages.append(name, numbered(3))) == 3

    @proves("TTL-3", "SES-5")
    @pytest.mark.parametrize("limits", LIMITS)
    async def test_a_fork_copies_the_limits(self, database: Database, limits: str) -> None:
        fields: Any = LIMITS[limits]
        keep = await database.keep(idle_ttl=DAY * 7)
        parent = await _full(keep, **{"idle_ttl": None, **fields})
        copy = await keep.sessions.fork("s", new_id="copy")
        assert (copy.ends_at, copy.idle_ttl) == (parent.ends_at, parent.idle_ttl)
        ends = [end for end in (copy.ends_at, _after(copy.created_at, copy.idle_ttl)) if end is not None]
        _near(copy.expires_at, min(ends, default=None))
        own = await keep.sessions.fork("s", new_id="own", update={"ttl": HOUR * 3, "idle_ttl": None})
        _check(own, ttl=HOUR * 3)

    @proves("TTL-3")
    async def test_touch_sets_a_new_fixed_end(self, keep: Keep) -> None:
        await _full(keep, idle_ttl=DAY)
        for ttl in (HOUR, HOUR / 2, DAY * 2, 60, 90.5):
            session = await keep.sessions.touch("s", ttl)
            _check(session, ttl=ttl, idle_ttl=DAY, since=session.updated_at)
            assert session == await keep.sessions.get("s")
            assert (await keep.sessions.touch("s")).ends_at == session.ends_at

    @proves("TTL-3", "ERR-1")
    async def test_what_is_no_duration_is_refused(self, database: Database, keep: Keep) -> None:
        before = await _full(keep)
        wrong: list[Any] = [0, -1, 1e-6, float("nan"), float("inf"), "60", True, timedelta(0), timedelta(days=40_000)]
        for value in wrong:
            for name in ("ttl", "idle_ttl"):
                fields: Any = {name: value}
                for call in (
                    keep.sessions.create("new", **fields),
                    keep.sessions.get_or_create("new", **fields),
                    keep.messages.append("new", [said()], create=fields),
                    keep.messages.append("s", [said()], update=fields),
                    keep.sessions.update("s", **fields),
                    keep.sessions.fork("s", update=fields),
                ):
                    with pytest.raises(InvalidInput):
                        await call
        assert await keep.sessions.get("s") == before
        assert await keep.sessions.count() == 1

    @proves("TTL-1", "ORD-5")
    @pytest.mark.parametrize("name", READS)
    async def test_a_read_finds_a_session_until_it_expires(self, database: Database, keep: Keep, name: str) -> None:
        """To the microsecond if the clock can be moved by hand."""
        if keep.capabilities.server_clock:
            await _full(keep)
            assert await READS[name](keep)
            await keep.sessions.touch("s", SHORT)
            await expired(keep, "s")
            assert not await READS[name](keep)
            return
        for limits in ({"ttl": HOUR}, {"idle_ttl": HOUR}, {"ttl": HOUR, "idle_ttl": DAY}):
            clock = HandClock()
            timed = await database.other_namespace().keep(clock=clock)
            await _full(timed, **limits)
            clock.now += HOUR - timedelta(microseconds=1)
            assert await READS[name](timed), limits
            clock.move(microseconds=1)
            assert not await READS[name](timed), limits
            clock.move(hours=99)
            assert not await READS[name](timed), limits
