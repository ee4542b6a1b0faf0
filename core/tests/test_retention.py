"""Retention: what a policy removes, counted first, beside writers and other processes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from agentkeep import InvalidInput, Keep, NewMessage, Unavailable, View, connect, sync
from agentkeep.records import Scope
from agentkeep.retention import BELONGS_TO, SHARED, Pruned, RetentionPolicy, delete_whole, prune
from agentkeep.wrappers import Wrapper

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)


class Clock:
    """So many days before now."""

    days_ago = 0.0

    def __call__(self) -> datetime:
        return datetime.now(UTC) - self.days_ago * DAY


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keep(clock: Clock) -> AsyncIterator[Keep]:
    """Sessions of 30, 20 and 10 days ago of two users each, and one without a user; ann's first was used 5 days ago."""
    async with connect("memory://", clock=clock) as keep:
        for days in (30, 20, 10):
            clock.days_ago = days
            for user in ("ann", "bob"):
                await keep.sessions.create(f"{user}-{days}", user_id=user)
        await keep.sessions.create("nobody-10")
        clock.days_ago = 5
        await keep.messages.append("ann-30", [NewMessage(role="user", content=str(n)) for n in range(7)])
        clock.days_ago = 0
        yield keep


async def ids(view: View) -> set[str]:
    return {session.id async for session in view.sessions.iterate()}


@pytest.mark.parametrize(
    ("rules", "expected", "left"),
    [
        ({}, Pruned(), "ann-30 ann-20 ann-10 bob-30 bob-20 bob-10 nobody-10"),
        ({"max_age": 15 * DAY}, Pruned(too_old=4), "ann-10 bob-10 nobody-10"),
        ({"max_age": 15 * 86_400}, Pruned(too_old=4), "ann-10 bob-10 nobody-10"),
        ({"max_idle": 15 * DAY}, Pruned(idle=3), "ann-30 ann-10 bob-10 nobody-10"),
        ({"max_sessions_per_user": 1}, Pruned(over_user_limit=4), "ann-30 bob-10 nobody-10"),
        ({"max_sessions_per_user": 2}, Pruned(over_user_limit=2), "ann-30 ann-10 bob-20 bob-10 nobody-10"),
        (
            {"max_messages_per_session": 3},
            Pruned(messages=4),
            "ann-30 ann-20 ann-10 bob-30 bob-20 bob-10 nobody-10",
        ),
        (
            {"max_age": 25 * DAY, "max_idle": 15 * DAY, "max_sessions_per_user": 1, "max_messages_per_session": 3},
            Pruned(too_old=2, idle=2),
            "ann-10 bob-10 nobody-10",
        ),
        (
            {"max_idle": 25 * DAY, "max_sessions_per_user": 1, "max_messages_per_session": 3},
            Pruned(idle=1, over_user_limit=3, messages=4),
            "ann-30 bob-10 nobody-10",
        ),
    ],
)
async def test_a_dry_run_counts_what_the_run_removes(keep: Keep, rules: Any, expected: Pruned, left: str) -> None:
    policy = RetentionPolicy(**rules)
    before = await ids(keep)
    assert await prune(keep, policy, dry_run=True) == expected
    assert await ids(keep) == before
    assert await keep.messages.count("ann-30") == 7
    assert await prune(keep, policy) == expected
    assert await ids(keep) == set(left.split())
    assert await prune(keep, policy) == Pruned(), "nothing is left to remove"
    assert expected.sessions == len(before) - len(left.split())


async def test_the_newest_messages_stay(keep: Keep) -> None:
    await prune(keep, RetentionPolicy(max_messages_per_session=3))
    assert [message.content for message in await keep.messages.tail("ann-30", 10)] == ["4", "5", "6"]


async def test_a_view_prunes_its_own(keep: Keep) -> None:
    policy = RetentionPolicy(max_age=DAY)
    await keep.for_tenant("acme").sessions.create()
    assert await prune(keep.for_tenant("acme"), policy) == Pruned()
    assert await prune(keep.for_user("ann"), policy) == Pruned(too_old=3)
    assert await prune(keep, policy) == Pruned(too_old=4)


async def test_a_session_that_is_used_meanwhile_stays(keep: Keep) -> None:
    """Between the listing and the removal, ann goes on in her oldest session."""

    class Busy(View):
        def __init__(self, view: View) -> None:
            super().__init__(view._shared, view._scope)  # pyright: ignore[reportPrivateUsage]
            remove = self.sessions.delete_many

            async def after_a_write(**filters: Any) -> int:
                await view.messages.append("ann-20", [NewMessage(role="user", content="still here")])
                return await remove(**filters)

            self.sessions.delete_many = after_a_write  # pyright: ignore[reportAttributeAccessIssue]

    assert await prune(Busy(keep), RetentionPolicy(max_sessions_per_user=1)) == Pruned(over_user_limit=3)
    assert await ids(keep) == {"ann-30", "ann-20", "bob-10", "nobody-10"}
    assert await prune(Busy(keep), RetentionPolicy(max_idle=7 * DAY)) == Pruned(idle=2)
    assert await ids(keep) == {"ann-30", "ann-20"}


async def test_a_session_that_is_made_anew_meanwhile_stays(keep: Keep) -> None:
    changed: list[str] = []

    class Renewing(View):
        def __init__(self, view: View) -> None:
            super().__init__(view._shared, view._scope)  # pyright: ignore[reportPrivateUsage]
            remove = self.sessions.delete

            async def after_another_did(id: str, **options: Any) -> bool:
                if id == "ann-30" and id not in changed:
                    changed.append(id)
                    await remove(id)
                    await view.sessions.create(id)
                if id == "bob-30" and id not in changed:
                    changed.append(id)
                    await view.sessions.update(id, title="busy")
                return await remove(id, **options)

            self.sessions.delete = after_another_did  # pyright: ignore[reportAttributeAccessIssue]

    await prune(Renewing(keep), RetentionPolicy(max_age=25 * DAY))
    assert await ids(keep) == {"ann-30", "ann-20", "ann-10", "bob-20", "bob-10", "nobody-10"}


@pytest.fixture
async def wholes(clock: Clock) -> AsyncIterator[Keep]:
    """Two talks of ann with an agent each; the newer was used 5 days ago. A third agent's talk is gone."""
    async with connect("memory://", clock=clock) as keep:
        clock.days_ago = 20
        for talk in ("old", "new"):
            await keep.sessions.create(talk, user_id="ann")
            clock.days_ago -= 1
            await keep.sessions.create(f"{talk}/agent", user_id="ann", metadata={BELONGS_TO: talk})
        await keep.sessions.create("lost/agent", user_id="ann", metadata={BELONGS_TO: "lost"})
        await keep.sessions.create("of the app", metadata={SHARED: True})
        clock.days_ago = 5
        await keep.sessions.touch("new")
        clock.days_ago = 0
        yield keep


@pytest.mark.parametrize(
    ("rules", "expected", "left"),
    [
        ({"max_idle": 10 * DAY}, Pruned(idle=3), "new new/agent"),
        ({"max_idle": 4 * DAY}, Pruned(idle=5), ""),
        ({"max_idle": 19.5 * DAY}, Pruned(idle=1), "old/agent new new/agent lost/agent"),
        ({"max_age": 19.5 * DAY}, Pruned(too_old=2), "new new/agent lost/agent"),
        ({"max_age": 17.5 * DAY}, Pruned(too_old=5), ""),
        ({"max_sessions_per_user": 1}, Pruned(over_user_limit=3), "new new/agent"),
        ({"max_sessions_per_user": 2}, Pruned(), "old old/agent new new/agent lost/agent"),
    ],
)
async def test_what_belongs_to_a_session_stays_or_goes_with_it(
    wholes: Keep, rules: Any, expected: Pruned, left: str
) -> None:
    """State that sessions share always stays."""
    policy = RetentionPolicy(**rules)
    assert await prune(wholes, policy, dry_run=True) == expected
    assert await prune(wholes, policy) == expected
    assert await ids(wholes) == {*left.split(), "of the app"}
    assert await prune(wholes, policy) == Pruned(), "nothing is left to remove"


async def test_messages_of_what_belongs_to_a_session_are_limited_too(wholes: Keep) -> None:
    for id in ("old/agent", "new/agent"):
        await wholes.messages.append(id, [NewMessage(role="user", content=str(n)) for n in range(5)])
    policy = RetentionPolicy(max_messages_per_session=3)
    assert await prune(wholes, policy, dry_run=True) == await prune(wholes, policy) == Pruned(messages=4)


async def test_more_than_one_page_of_what_belongs_to_sessions(clock: Clock) -> None:
    async with connect("memory://", clock=clock) as keep:
        clock.days_ago = 20
        for number in range(500):
            await keep.sessions.create(f"agent-{number}", metadata={BELONGS_TO: f"talk-{number % 2}"})
        clock.days_ago = 0
        await keep.sessions.create("talk-1")
        policy = RetentionPolicy(max_idle=DAY)
        assert await prune(keep, policy, dry_run=True) == await prune(keep, policy) == Pruned(idle=250)
        assert await keep.sessions.count() == 251


async def test_a_session_is_removed_with_all_that_belongs_to_it(wholes: Keep) -> None:
    assert await delete_whole(wholes, "new") == 2
    assert await ids(wholes) == {"old", "old/agent", "lost/agent", "of the app"}
    assert await delete_whole(wholes.for_user("bob"), "old") == 0
    assert await delete_whole(wholes, "lost") == 1
    assert await delete_whole(wholes, "lost") == 0
    with pytest.raises(InvalidInput, match="id"):
        await delete_whole(wholes, "")


@pytest.mark.parametrize(
    "rules",
    [{"max_age": 0}, {"max_idle": "1 day"}, {"max_sessions_per_user": 0}, {"max_messages_per_session": 1.5}],
)
def test_a_policy_is_checked(rules: Any) -> None:
    with pytest.raises(InvalidInput, match=next(iter(rules))):
        RetentionPolicy(**rules)


class Failing(Wrapper):
    """The first sweep fails."""

    sweeps = 0

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        Failing.sweeps += 1
        if Failing.sweeps == 1:
            raise Unavailable("the server is down")
        return await super().sweep(scope, limit=limit)


async def test_sweeping_goes_on_after_an_error_and_prunes(keep: Keep, caplog: pytest.LogCaptureFixture) -> None:
    Failing.sweeps = 0
    failing = await Keep(Failing(keep.adapter)).open()
    await keep.for_tenant("acme").sessions.create("short", ttl=0.001)
    with caplog.at_level(logging.INFO, "agentkeep"):
        async with failing.sweeping(every=0.02, policy=RetentionPolicy(max_age=DAY)):
            async with asyncio.timeout(5):
                while await ids(keep):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
    assert "a sweep failed and will be tried again" in caplog.text
    assert "the server is down" not in caplog.text
    assert "too_old=7" in caplog.text
    count = Failing.sweeps
    await asyncio.sleep(0.06)
    assert Failing.sweeps == count, "it stops with the block"


async def test_sweeping_in_several_keeps_ends_quietly_when_they_close(keep: Keep) -> None:
    async with keep.sweeping(every=0.01), keep.sweeping(every=0.01):
        await asyncio.sleep(0.05)
        await keep.close()
        await asyncio.sleep(0.05)


async def test_sweeping_needs_an_interval(keep: Keep) -> None:
    with pytest.raises(InvalidInput, match="every"):
        async with keep.sweeping(every=None):  # pyright: ignore[reportArgumentType]
            pass


def test_the_sync_twins() -> None:
    Failing.sweeps = 0
    with sync.connect("memory://", wrap=[Failing]) as keep:
        keep.sessions.create("t", user_id="ann")
        keep.sessions.create("u", user_id="ann")
        policy = RetentionPolicy(max_sessions_per_user=1)
        assert sync.prune(keep, policy, dry_run=True) == Pruned(over_user_limit=1)
        assert sync.prune(keep.for_user("ann"), policy).sessions == 1
        with keep.sweeping(every=0.01):
            wait_until(lambda: Failing.sweeps > 2)
        assert [session.id for session in keep.sessions.iterate()] == ["u"]


def wait_until(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.01)
