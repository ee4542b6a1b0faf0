"""One conversation's life, unchanged on every backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import Conflict, Keep, Message, connect
from agentkeep.conversations import Conversation, SessionManager
from agentkeep.retention import Pruned, RetentionPolicy, prune

pytestmark = pytest.mark.anyio


@pytest.fixture
async def keep(backend_url: str) -> AsyncIterator[Keep]:
    async with connect(backend_url) as keep:
        yield keep


@pytest.fixture
def manager(keep: Keep) -> SessionManager:
    return SessionManager(keep, agent_name="support", user_id="ann")


async def talk(conversation: Conversation, *texts: str) -> None:
    for text in texts:
        async with conversation.turn() as turn:
            turn.add("user", text)
            turn.add("assistant", text.upper())


async def contents(conversation: Conversation) -> list[Any]:
    return [message.content for message in await conversation.history()]


async def test_turns_data_and_usage(manager: SessionManager) -> None:
    conversation = await manager.resume_latest()
    for _ in range(2):  # a repeated turn lands once
        async with conversation.turn("t1") as turn:
            turn.add("user", "Hi")
            turn.move(route="billing", step="ask")
            turn.set_data({"name": "Ann"})
            turn.add_usage(input_tokens=5, cost="0.25")
    seen = conversation.session
    session = await conversation.reload()
    for field in ("version", "state", "counters", "message_count", "last_seq", "last_message_at", "current_route"):
        assert getattr(seen, field) == getattr(session, field), field
    assert (session.message_count, session.state, session.current_step) == (1, {"name": "Ann"}, "ask")
    assert (await manager.usage()).cost_nanos == 250_000_000
    stale = await manager.get(conversation.id)
    await conversation.set_data({"a": 1})
    async with stale.turn() as turn:
        turn.add("user", "on what is stored now")
        turn.set_data({"b": 2})
    assert (await conversation.reload()).state == {"name": "Ann", "a": 1, "b": 2}


async def test_racing_writers(keep: Keep, manager: SessionManager) -> None:
    await (await manager.get_or_create("s")).set_data({"left": 5})

    async def reserve(conversation: Conversation) -> None:
        await conversation.set_data({"left": conversation.data["left"] - 1})

    writers = [await manager.get("s") for _ in range(5)]
    await asyncio.gather(*(writer.retry(reserve) for writer in writers))
    await asyncio.gather(*(writer.set_data({str(n): n}) for n, writer in enumerate(writers)))
    assert (await manager.get("s")).data == {"left": 0} | {str(n): n for n in range(5)}
    mine, other = [await SessionManager(keep, auto_save=False).get("s") for _ in range(2)]
    await other.set_data({"left": 7})
    await other.save()
    await mine.set_data({"left": 8})
    with pytest.raises(Conflict):
        await mine.save()


async def test_history_context_and_summary(manager: SessionManager) -> None:
    conversation = await manager.get_or_create()
    await conversation.add_message("system", "Be kind")
    await talk(conversation, *map(str, range(30)))

    async def summarize(messages: list[Message]) -> str:
        return f"{len(messages)} messages"

    chosen = await conversation.context(max_messages=6, summarize=summarize)
    assert [message.content for message in chosen] == ["Be kind", "56 messages", "28", "28", "29", "29"]
    branch = await conversation.fork(at=3)
    assert await contents(branch) == ["Be kind", "0", "0"]
    assert branch.session.metadata == {}
    assert await conversation.rewind(to=5) == 56
    assert await contents(conversation) == ["Be kind", "0", "0", "1", "1"]
    await conversation.set_history((await conversation.history())[:1])
    assert await contents(conversation) == ["Be kind"]
    await conversation.reset()
    assert (await contents(conversation), conversation.data, conversation.session.message_count) == ([], {}, 0)


async def test_retention(keep: Keep, manager: SessionManager) -> None:
    for name in ("a", "b", "c"):
        await talk(await manager.get_or_create(name), "x", "y")
    policy = RetentionPolicy(max_sessions_per_user=2, max_messages_per_session=3, max_idle=timedelta(hours=1))
    assert await prune(keep, policy, dry_run=True) == Pruned(over_user_limit=1, messages=2)
    assert await prune(keep, policy) == Pruned(over_user_limit=1, messages=2)
    assert {session.id async for session in keep.sessions.iterate()} == {"b", "c"}
    await asyncio.sleep(0.02)
    assert await prune(keep, RetentionPolicy(max_age=0.001)) == Pruned(too_old=2)
    assert await keep.sessions.count() == 0
