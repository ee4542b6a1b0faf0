"""`resume_latest`: the user's active session or a new one, one winner however many race, on every backend."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from agentkeep import InvalidInput, Keep, Session, connect
from agentkeep.conversations import SessionManager
from agentkeep.conversations._claims import CLAIM, active_or_new
from agentkeep.wrappers import SessionsWrapper, Wrapper

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shared(backend_url: str) -> AsyncIterator[Keep]:
    async with connect(backend_url) as keep:
        yield keep


async def test_five_tasks_get_one_new_session(shared: Keep) -> None:
    manager = SessionManager(shared, agent_name="support")
    for user in map(str, range(10)):
        found = await asyncio.gather(*(manager.resume_latest(user) for _ in range(5)))
        assert len({conversation.id for conversation in found}) == 1
        assert await shared.sessions.count(user_id=user) == 1
        assert (found[0].session.user_id, found[0].session.agent_name) == (user, "support")


async def test_five_processes_with_five_tasks_each_get_one_new_session(backend_url: str) -> None:
    async with connect(backend_url) as keep:
        if not keep.capabilities.shared:
            pytest.skip("no other process can see this data")
        program, at = Path(__file__).with_name("resuming.py"), str(time.time() + 2)
        racers = [
            await asyncio.create_subprocess_exec(
                sys.executable, program, backend_url, "ann", "5", at, stdout=asyncio.subprocess.PIPE
            )
            for _ in range(5)
        ]
        printed = [(await racer.communicate())[0].decode().split() for racer in racers]
        assert [racer.returncode for racer in racers] == [0] * 5
        assert [len(ids) for ids in printed] == [5] * 5
        assert len({id for ids in printed for id in ids}) == 1
        assert await keep.sessions.count(user_id="ann") == 1


async def test_an_active_session_is_resumed_whoever_made_it(shared: Keep) -> None:
    manager = SessionManager(shared, agent_name="support")
    await shared.sessions.create("other agent", user_id="ann", agent_name="travel")
    await shared.sessions.create("old", user_id="ann", agent_name="support")
    await shared.sessions.create("new", user_id="ann", agent_name="support")
    assert (await manager.resume_latest("ann")).id == "new"
    await shared.sessions.touch("old")
    assert (await manager.resume_latest("ann")).id == "old"
    assert (await SessionManager(shared.for_user("ann")).resume_latest()).id == "old"
    assert await shared.sessions.count() == 3, "no claim was needed"


async def test_ended_sessions_are_followed_by_new_ones_under_other_ids(shared: Keep) -> None:
    manager = SessionManager(shared, agent_name="support", user_id="ann")
    seen: set[str] = set()
    for end in ("complete", "abandon", "delete", "complete"):
        conversation = await manager.resume_latest()
        assert conversation.id not in seen
        seen.add(conversation.id)
        await getattr(conversation, end)()
    assert await shared.sessions.count() == 3, "the deleted one is gone, and so are all claims"


async def test_a_claim_of_a_caller_that_died_is_finished_by_the_next(shared: Keep) -> None:
    manager = SessionManager(shared, agent_name="support", user_id="ann")
    dying = asyncio.create_task(manager.resume_latest())
    while not await shared.sessions.count(agent_name=CLAIM) and not dying.done():  # noqa: ASYNC110
        await asyncio.sleep(0)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    found = {(await manager.resume_latest()).id for _ in range(3)}
    assert len(found) == 1
    assert await shared.sessions.count(user_id="ann") == 1


class _Slow(SessionsWrapper):
    """Each call of a repository waits, for as many turns of the loop as chance says."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in ("create", "list", "update", "delete", "get"):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            for _ in range(Slow.chance.randrange(12)):
                await asyncio.sleep(0)
            result = await found(*args, **kwargs)
            for _ in range(Slow.chance.randrange(12)):
                await asyncio.sleep(0)
            return result

        return call


class Slow(Wrapper):
    chance = random.Random()
    sessions_wrapper = _Slow


@pytest.mark.parametrize("seed", range(60))
async def test_one_winner_in_any_order_of_steps(seed: int) -> None:
    """Callers that come and go while others end the session: never two active ones."""
    Slow.chance = random.Random(seed)
    async with connect("memory://", wrap=[Slow]) as keep:
        manager = SessionManager(keep, agent_name="support", user_id="ann")
        is_done = False

        async def call() -> None:
            for _ in range(4):
                conversation = await manager.resume_latest()
                if Slow.chance.random() < 0.3:
                    await conversation.complete()

        async def observe() -> None:
            while not is_done:
                assert len((await manager.list(status="active")).items) <= 1
                await asyncio.sleep(0)

        observer = asyncio.create_task(observe())
        await asyncio.gather(*(call() for _ in range(5)))
        is_done = True
        await observer


async def test_a_claim_that_another_caller_uses_is_not_removed(keep: Keep) -> None:
    """One caller finds a session that ends at once; another made none yet; a third one must not make a third."""
    ended = await keep.sessions.create("ended", agent_name="support")
    waits, goes_on = [asyncio.Event(), asyncio.Event()], [asyncio.Event(), asyncio.Event()]

    async def none() -> None:
        return None

    async def none_then_ended() -> Session | None:
        if not await keep.sessions.count(agent_name=CLAIM):
            return None
        waits[0].set()
        await goes_on[0].wait()
        return ended

    async def make(id: str) -> Session:
        return await keep.sessions.get_or_create(id, user_id="ann", agent_name="support")

    async def make_later(id: str) -> Session:
        waits[1].set()
        await goes_on[1].wait()
        return await make(id)

    owner = ("support", "ann")
    first = asyncio.create_task(active_or_new(keep.sessions, owner, none_then_ended, make))
    await waits[0].wait()
    second = asyncio.create_task(active_or_new(keep.sessions, owner, none, make_later))
    await waits[1].wait()
    goes_on[0].set()
    assert await first == ended
    third = await active_or_new(keep.sessions, owner, none, make)
    goes_on[1].set()
    assert (await second).id == third.id
    assert await keep.sessions.count(user_id="ann") == 1


async def test_a_user_is_needed(keep: Keep) -> None:
    with pytest.raises(InvalidInput, match="user_id is missing"):
        await SessionManager(keep).resume_latest()
    with pytest.raises(InvalidInput, match="limited to one user"):
        await SessionManager(keep, user_id="ann").resume_latest("bob")


async def test_claims_of_users_agents_and_tenants_do_not_meet(keep: Keep) -> None:
    managers = [
        SessionManager(view, agent_name=agent, user_id=user)
        for view in (keep, keep.for_tenant("acme"))
        for agent in (None, "a", "b")
        for user in ("ann", "bob")
    ]
    found = await asyncio.gather(*(manager.resume_latest() for manager in managers for _ in range(2)))
    assert len({conversation.id for conversation in found}) >= 8
