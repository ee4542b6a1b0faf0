"""Time to live: when a session expires, all of it is absent for every reader, swept or not (TTL-1, TTL-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import pytest
from agentkeep import InvalidInput, Keep, SessionNotFound, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.sessions import ON_ABSENT
from agentkeep_conformance.samples import (
    FULL_SESSION,
    HandClock,
    at_once,
    everything,
    ids,
    log,
    numbered,
    said,
    seqs,
    until,
)

_T = TypeVar("_T")

SHORT = timedelta(milliseconds=500)
"""Long enough to make a session with before it expires. To fill it, see `filled_in_time`."""
_LONGEST = SHORT * 16
HOUR = timedelta(hours=1)
ROUNDING = timedelta(milliseconds=5)
"""Between the instant a server stamps and the one it expires by, both in its own clock."""


async def expired(keep: View, session_id: str) -> None:
    """Wait until it is absent, and fail if it never is."""

    async def absent() -> bool:
        return await keep.sessions.find(session_id) is None

    await until(absent, f"session {session_id!r} expires")


async def filled_in_time(fill: Callable[[timedelta], Awaitable[_T]]) -> _T:
    """The result of `fill`, which makes a session with the life that it is given, and then fills it.

    On a busy machine a session may expire before it is filled: then `fill` is called again, with a longer life.
    """
    life = SHORT
    while True:
        try:
            return await fill(life)
        except SessionNotFound:
            if life >= _LONGEST:
                raise
            life *= 4


async def full(keep: View, session_id: str, life: timedelta, count: int) -> None:
    """Make a session with this life, all fields and so many messages. Raises `SessionNotFound` if it expires first."""
    await keep.sessions.create(session_id, **FULL_SESSION, ttl=life)
    await keep.messages.append(session_id, numbered(count))


async def _of_user(keep: View, session_id: str, user_id: str, life: timedelta) -> None:
    await keep.sessions.create(session_id, user_id=user_id, ttl=life)
    await keep.messages.append(session_id, numbered(2))


class TimeToLive:
    @proves("TTL-1")
    async def test_a_session_expires_when_it_was_told_to(self, database: Database, keep: Keep) -> None:
        assert (await keep.sessions.create("forever")).expires_at is None
        session = await keep.sessions.create("hour", ttl=HOUR)
        assert session.expires_at is not None
        assert abs(session.expires_at - session.created_at - HOUR) < ROUNDING
        assert (await keep.sessions.get("hour")).expires_at == session.expires_at
        idle = await database.keep(idle_ttl=HOUR * 2)
        for name, ttl in (("idle", None), ("own", HOUR)):
            session = await idle.sessions.create(name, ttl=ttl)
            assert session.idle_ttl == HOUR * 2
            assert session.expires_at is not None
            assert abs(session.expires_at - session.created_at - (ttl or HOUR * 2)) < ROUNDING

    @proves("TTL-1")
    async def test_activity_slides_the_end_and_never_shortens_a_life(self, database: Database) -> None:
        keep = await database.keep(idle_ttl=HOUR)
        before = await keep.sessions.create("s")
        await keep.messages.append("s", numbered(1))
        appended = await keep.sessions.get("s")
        touched = await keep.sessions.touch("s")
        await keep.messages.append("s", [], truncate_after=0)
        rewound = await keep.sessions.get("s")
        ends = [session.expires_at for session in (before, appended, touched, rewound) if session.expires_at]
        assert ends == sorted(set(ends))
        assert len(ends) == 4
        assert touched.expires_at is not None
        assert abs(touched.expires_at - touched.updated_at - HOUR) < ROUNDING
        await keep.sessions.touch("s", HOUR * 5)
        await keep.messages.append("s", [said()])
        long = await keep.sessions.touch("s")
        assert long.ends_at is not None
        assert long.expires_at is not None
        assert abs(long.ends_at - long.updated_at - HOUR * 5) < timedelta(minutes=5)
        assert abs(long.expires_at - long.updated_at - HOUR) < ROUNDING
        short = await keep.sessions.touch("s", HOUR / 2)
        assert short.expires_at is not None
        assert abs(short.expires_at - short.updated_at - HOUR / 2) < ROUNDING

    @proves("TTL-1")
    async def test_without_idle_ttl_only_a_given_ttl_moves_the_end(self, keep: Keep) -> None:
        end = (await keep.sessions.create("s", ttl=HOUR)).expires_at
        await keep.messages.append("s", numbered(3), update={"title": "t"})
        assert (await keep.sessions.update("s", title="u", metadata={"k": 1})).expires_at == end
        await keep.messages.pop("s")
        await keep.messages.trim("s", keep_last=1)
        assert (await keep.sessions.get("s")).expires_at == end
        assert (await keep.sessions.touch("s")).expires_at == end
        assert (await keep.sessions.get_or_create("s", ttl=HOUR * 9)).expires_at == end
        await keep.sessions.create("forever")
        assert (await keep.sessions.touch("forever")).expires_at is None

    @proves("TTL-1", "SES-4")
    async def test_every_verb_treats_the_expired_as_absent_before_any_sweep(self, keep: Keep, twin: Keep) -> None:
        views = {verb: keep.for_tenant(f"tenant {n}") for n, verb in enumerate(ON_ABSENT)}
        for view in (keep, *views.values()):
            await filled_in_time(partial(full, view, "s", count=3))
        await expired(keep, "s")
        for n, (verb, view) in enumerate(views.items()):
            await expired(view, "s")
            with pytest.raises(SessionNotFound):
                await ON_ABSENT[verb](view)
            assert await twin.for_tenant(f"tenant {n}").sessions.find("s") is None
        for instance in (keep, twin):
            assert (await instance.sessions.list()).items == await everything(instance.sessions.iterate()) == []
            assert await instance.sessions.count() == await instance.sessions.count(user_id="u1") == 0
            assert await instance.sessions.count(metadata={"team": "blue"}) == 0
            assert await instance.sessions.find_active("u1") is None
            assert await instance.sessions.delete_many(user_id="u1", dry_run=True) == 0
            assert await instance.sessions.delete_user("u1") == 0
            assert not await instance.sessions.delete("s")

    @proves("TTL-1", "SES-4", "IDEM-1")
    @pytest.mark.parametrize("by", ["create", "get_or_create", "fork"])
    async def test_an_expired_id_begins_anew(self, keep: Keep, twin: Keep, by: str) -> None:
        await keep.sessions.create("other")
        await keep.messages.append("other", numbered(1))
        await filled_in_time(partial(full, keep, "s", count=100))
        await expired(twin, "s")
        if by == "fork":
            await keep.sessions.fork("other", at_seq=0, new_id="s")
        else:
            await (keep.sessions.create if by == "create" else keep.sessions.get_or_create)("s")
        new = await twin.sessions.get("s")
        assert (new.message_count, new.last_seq, new.expires_at) == (0, 0, None)
        assert (new.title, new.state, new.metadata) == (None, {}, {})
        assert await log(twin, "s") == []
        [message] = await keep.messages.append("s", [said("other content", id="m1")])
        assert message.seq == 1
        assert await keep.sessions.count(metadata={"team": "blue"}) == 0
        await keep.sweep()
        assert seqs(await log(twin, "s")) == [1]

    @proves("TTL-1")
    async def test_a_longer_life_is_that_of_every_part(self, keep: Keep, twin: Keep) -> None:
        async def fill(life: timedelta) -> tuple[timedelta, int]:
            await full(keep, "s", life, 3)
            await keep.messages.append("s", numbered(100, start=4))
            counted = await twin.sessions.count(
                user_id="u1"
            )  # an index that is only updated by reads has the first end
            await keep.sessions.touch("s", HOUR)
            return life, counted

        life, counted = await filled_in_time(fill)
        assert counted == 1
        await keep.sessions.create("witness", ttl=life)
        await expired(keep, "witness")
        await keep.sweep()
        session = await twin.sessions.get("s")
        assert (session.message_count, session.state) == (103, FULL_SESSION["state"])
        assert seqs(await log(twin, "s")) == list(range(1, 104))
        assert (await twin.messages.get("s", "m2")).content == "text 2"
        assert await twin.sessions.count(user_id="u1", metadata={"team": "blue"}) == 1
        assert seqs(await twin.messages.append("s", numbered(3))) == [1, 2, 3]
        assert seqs(await twin.messages.append("s", [said()])) == [104]
        if keep.capabilities.search:
            assert len(await twin.messages.search("text 2", limit=1)) == 1

    @proves("TTL-1")
    async def test_the_instant_of_expiry_belongs_to_death(self, database: Database, keep: Keep) -> None:
        if keep.capabilities.server_clock:
            await keep.sessions.create("s", ttl=SHORT)
            await expired(keep, "s")
            assert await keep.sessions.count() == 0
            return
        clock = HandClock()
        timed = await database.keep(clock=clock)
        await timed.sessions.create("s", ttl=HOUR)
        await timed.messages.append("s", numbered(1))
        clock.now += HOUR - timedelta(microseconds=1)
        assert (await timed.messages.count("s"), await timed.sessions.count()) == (1, 1)
        clock.move(microseconds=1)
        assert await timed.sessions.find("s") is None
        assert await timed.sessions.count() == 0

    @proves("TTL-1", "SES-5")
    async def test_a_fork_has_its_parents_two_ends(self, database: Database, keep: Keep) -> None:
        parent = await keep.sessions.create("s", ttl=HOUR)
        idle = await database.keep(idle_ttl=HOUR * 3)
        for instance in (keep, idle):
            copy = await instance.sessions.fork("s")
            assert (copy.expires_at, copy.ends_at, copy.idle_ttl) == (parent.expires_at, parent.ends_at, None)
        await idle.sessions.create("idle")
        copy = await keep.sessions.fork("idle")
        assert copy.expires_at is not None
        assert abs(copy.expires_at - copy.created_at - HOUR * 3) < ROUNDING
        await keep.sessions.create("forever")
        assert (await keep.sessions.fork("forever")).expires_at is None

    @proves("TTL-2", "ISO-1")
    async def test_a_sweep_takes_the_expired_of_its_scope_up_to_its_limit(self, keep: Keep) -> None:
        other = keep.for_tenant("other")
        for n in range(5):
            await filled_in_time(partial(_of_user, keep, f"s{n}", f"u{n % 2}"))
        await other.sessions.create("theirs", ttl=SHORT)
        await keep.sessions.create("living", ttl=HOUR)
        await keep.sessions.create("forever")
        await expired(keep, "s4")
        await expired(other, "theirs")
        swept = [
            await keep.for_tenant("empty").sweep(),
            await keep.for_user("u9").sweep(),
            await keep.for_user("u1").sweep(),
            await keep.for_tenant("default").sweep(2),
            await keep.for_tenant("default").sweep(2),
            await other.sweep(),
            await keep.sweep(),
        ]
        expected = [0, 0, 2, 2, 1, 1, 0]
        if keep.capabilities.native_ttl:
            assert all(found <= most for found, most in zip(swept, expected, strict=True))
        else:
            assert swept == expected
        assert sorted(ids((await keep.sessions.list()).items)) == ["forever", "living"]

    @proves("TTL-2")
    @pytest.mark.parametrize("limit", [None, 115, 7])
    async def test_a_sweep_takes_all_tenants_and_more_than_a_step(self, keep: Keep, limit: int | None) -> None:
        """Whichever tenant comes first, a step ends among the many sessions of t1, and others are left.

        A limit of 7 ends in the second or third tenant, unless t1 is the first.
        """
        for tenant, count in (("t0", 5), ("t1", 120), ("t2", 5)):
            for n in range(count):
                await keep.for_tenant(tenant).sessions.create(f"s{n}", ttl=SHORT)
            await expired(keep.for_tenant(tenant), f"s{count - 1}")
        swept = await (keep.sweep() if limit is None else keep.sweep(limit))
        assert swept <= (limit or 130) if keep.capabilities.native_ttl else swept == (limit or 130)
        if limit is not None:
            rest = await keep.sweep()
            assert rest <= 130 - limit if keep.capabilities.native_ttl else rest == 130 - limit
        assert await keep.sweep() == 0

    @proves("TTL-1", "ERR-1")
    async def test_what_is_no_time_to_live_is_refused(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        wrong: list[Any] = [timedelta(0), timedelta(seconds=-1), timedelta(microseconds=1), 0, -1.5, "60", True]
        wrong.append(timedelta(days=40_000))
        for ttl in wrong:
            with pytest.raises(InvalidInput):
                await keep.sessions.create("new", ttl=ttl)
            with pytest.raises(InvalidInput):
                await keep.sessions.touch("s", ttl)
        limits: list[Any] = [0, -1, True, "5", None, 1.0]
        for limit in limits:
            with pytest.raises(InvalidInput):
                await keep.sweep(limit)
        assert (await keep.sessions.get("s")).expires_at is None
        assert await keep.sessions.count() == 1

    @proves("TTL-2", "ERR-1")
    async def test_sweeps_at_the_same_time_remove_all(self, keep: Keep) -> None:
        for tenant in ("a", "b", "c"):
            view = keep.for_tenant(tenant)
            await at_once([view.sessions.create(f"s{number}", ttl=0.001) for number in range(3)])
            await expired(view, "s2")

        async def sweep_after(seconds: float) -> None:
            await asyncio.sleep(seconds)
            await keep.sweep()

        await at_once([sweep_after(number / 2_000) for number in range(20)])  # some begin while others are under way
        assert await keep.sweep() == 0
