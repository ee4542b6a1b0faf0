"""The verbs of a conversation and of its manager."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    Keep,
    NewMessage,
    SessionNotFound,
)
from agentkeep.conversations import SessionManager

pytestmark = pytest.mark.anyio


@pytest.fixture
def manager(keep: Keep) -> SessionManager:
    return SessionManager(keep, agent_name="support", user_id="ann")


async def test_get_or_create_returns_the_conversation_of_an_id(keep: Keep, manager: SessionManager) -> None:
    conversation = await manager.get_or_create("user-123")
    await conversation.add_message("user", "Hi")
    again = await manager.get_or_create("user-123")
    assert [message.content for message in await again.history()] == ["Hi"]
    assert (again.session.agent_name, again.session.user_id) == ("support", "ann")
    with pytest.raises(AlreadyExists):
        await SessionManager(keep, user_id="bob").get_or_create("user-123")


async def test_generated_ids_sort_by_time(manager: SessionManager) -> None:
    ids = [(await manager.get_or_create()).id for _ in range(300)]
    assert ids == sorted(set(ids))


async def test_get_exists_list_and_remove(keep: Keep, manager: SessionManager) -> None:
    with pytest.raises(SessionNotFound):
        await manager.get("s")
    assert not await manager.exists("s")
    await manager.get_or_create("s")
    await SessionManager(keep, agent_name="other", user_id="ann").get_or_create("o")
    assert (await manager.get("s")).id == "s"
    assert await manager.exists("s")
    assert [session.id for session in (await manager.list()).items] == ["s"]
    assert await manager.remove("s")
    assert not await manager.remove("s")
    assert (await manager.list()).items == []


async def test_idle_ttl_is_the_keeps_unless_the_manager_says_otherwise(keep: Keep) -> None:
    async def idle(**options: Any) -> timedelta | None:
        return (await SessionManager(keep, **options).get_or_create()).session.idle_ttl

    hour = timedelta(hours=1)
    keep._shared.idle_ttl = hour  # pyright: ignore[reportPrivateUsage]
    assert await idle() == hour
    assert await idle(idle_ttl=60) == timedelta(minutes=1)
    assert await idle(idle_ttl=None) is None


async def test_history_can_be_read_replaced_and_cleared(manager: SessionManager) -> None:
    conversation = await manager.get_or_create()
    for text in ("a", "b", "c"):
        await conversation.add_message("user", text)
    assert [message.content for message in await conversation.history(2)] == ["b", "c"]
    kept = (await conversation.history())[:2]
    stored = await conversation.set_history([*kept, NewMessage(role="assistant", content="z")])
    assert [message.content for message in await conversation.history()] == ["a", "b", "z"]
    assert [message.seq for message in stored] == [4, 5, 6]
    assert conversation.session.message_count == 3
    await conversation.clear_history()
    assert await conversation.history() == []
    assert conversation.session.message_count == 0


async def test_a_message_with_an_id_may_be_added_again(manager: SessionManager) -> None:
    conversation = await manager.get_or_create()
    first, again = [await conversation.add_message("user", "Hi", id="m1") for _ in range(2)]
    assert first == again
    assert conversation.session.message_count == 1


async def test_set_data_merges_top_level_keys_or_replaces_all(manager: SessionManager) -> None:
    conversation = await manager.get_or_create()
    await conversation.set_data({"name": "Ann", "address": {"city": "Bonn", "zip": "1"}})
    await conversation.set_data({"address": {"city": "Köln"}})
    assert conversation.data == {"name": "Ann", "address": {"city": "Köln"}}
    await conversation.set_data({"only": 1}, replace=True)
    assert conversation.data == {"only": 1}
    assert (await manager.get(conversation.id)).data == {"only": 1}
    with pytest.raises(InvalidInput, match="data is of type list"):
        await conversation.set_data([("a", 1)])  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("auto_save", [True, False])
async def test_what_data_takes_and_returns_is_a_copy(keep: Keep, *, auto_save: bool) -> None:
    conversation = await SessionManager(keep, auto_save=auto_save).get_or_create()
    given: dict[str, Any] = {"list": [1]}
    await conversation.set_data(given)
    given["list"].append(2)
    conversation.data["list"].append(3)
    assert conversation.data == {"list": [1]}
    await conversation.save()
    assert (await conversation.reload()).state == {"list": [1]}


async def test_merges_of_racing_writers_are_all_kept(manager: SessionManager) -> None:
    await manager.get_or_create("s")
    writers = [await manager.get("s") for _ in range(8)]
    await asyncio.gather(*(writer.set_data({f"k{n}": n}) for n, writer in enumerate(writers)))
    assert (await manager.get("s")).data == {f"k{n}": n for n in range(8)}


async def test_route_and_step(manager: SessionManager) -> None:
    conversation = await manager.get_or_create()
    await conversation.move(route="billing", step="ask")
    await conversation.move(step="pay")
    session = (await manager.get(conversation.id)).session
    assert (session.current_route, session.current_step) == ("billing", "pay")
    assert conversation.session == session


@pytest.mark.parametrize("preserve_history", [True, False])
async def test_reset_begins_again(manager: SessionManager, *, preserve_history: bool) -> None:
    conversation = await manager.get_or_create()
    await conversation.add_message("user", "Hi")
    await conversation.set_data({"a": 1})
    await conversation.move(route="r", step="s")
    await conversation.add_usage(input_tokens=3)
    await conversation.complete()
    await conversation.reset(preserve_history=preserve_history)
    session = (await manager.get(conversation.id)).session
    assert (session.state, session.status, session.current_route, session.current_step) == ({}, "active", None, None)
    assert session.message_count == int(preserve_history)
    assert (await conversation.usage()).input_tokens == 3
    assert conversation.session == session


async def test_fork_copies_up_to_a_message_and_leaves_the_parent(manager: SessionManager) -> None:
    conversation = await manager.get_or_create()
    first = await conversation.add_message("user", "a")
    await conversation.add_message("user", "b")
    assert first is not None
    for at in (first, first.seq):
        branch = await conversation.fork(at)
        assert [message.content for message in await branch.history()] == ["a"]
        assert branch.session.parent_id == conversation.id
    whole = await conversation.fork(id="mine")
    assert (whole.id, len(await whole.history())) == ("mine", 2)
    assert len(await conversation.history()) == 2


async def test_rewind_removes_what_is_after_a_message(manager: SessionManager) -> None:
    conversation = await manager.get_or_create()
    first = await conversation.add_message("user", "a")
    await conversation.add_message("user", "b")
    await conversation.add_message("user", "c")
    assert first is not None
    assert await conversation.rewind(2) == 1
    assert await conversation.rewind(first) == 1
    assert await conversation.rewind(first) == 0
    assert [message.content for message in await conversation.history()] == ["a"]
    assert conversation.session.message_count == 1


async def test_complete_and_abandon_end_it(manager: SessionManager) -> None:
    conversation = await manager.resume_latest()
    assert (await conversation.complete()).completed_at is not None
    second = await manager.resume_latest()
    assert second.id != conversation.id
    assert (await second.abandon()).status == "abandoned"
    assert (await manager.resume_latest()).id not in (conversation.id, second.id)


async def test_delete(manager: SessionManager) -> None:
    conversation = await manager.get_or_create()
    assert await conversation.delete()
    assert not await conversation.delete()
    with pytest.raises(SessionNotFound):
        await conversation.add_message("user", "Hi")


async def test_without_auto_save_nothing_is_written_before_save(keep: Keep) -> None:
    manager = SessionManager(keep, auto_save=False)
    conversation = await manager.get_or_create("s")
    before = await keep.sessions.get("s")
    assert await conversation.add_message("user", "Hi") is None
    await conversation.set_data({"a": 1})
    await conversation.move(step="x")
    await conversation.add_usage(output_tokens=2)
    assert conversation.data == {"a": 1}
    assert await keep.sessions.get("s") == before
    saved = await conversation.save("A title")
    stored = await keep.sessions.get("s")
    assert (stored.title, stored.state, stored.current_step, stored.message_count) == ("A title", {"a": 1}, "x", 1)
    assert saved.version == stored.version
    assert await conversation.save() == saved, "nothing is left to save"
    assert await keep.sessions.get("s") == stored


async def test_a_stale_save_is_a_conflict_and_retry_applies_it_again(keep: Keep) -> None:
    manager = SessionManager(keep, auto_save=False)
    mine, other = await manager.get_or_create("s"), await manager.get_or_create("s")
    await other.set_data({"left": 10})
    await other.save()
    await mine.set_data({"left": 5})
    with pytest.raises(Conflict) as caught:
        await mine.save()
    assert caught.value.kind == "version"
    assert (await keep.sessions.get("s")).state == {"left": 10}
    assert mine.data == {"left": 5}, "what was collected stays"


async def test_what_others_only_appended_is_no_conflict_and_any_other_change_is(keep: Keep) -> None:
    mine = await SessionManager(keep, auto_save=False).get_or_create("s")
    await mine.add_message("user", "mine")
    await keep.messages.append("s", [NewMessage(role="user", content="theirs")])
    await mine.save()
    await mine.add_message("user", "decided by data that is stale")
    await keep.sessions.update("s", state={"a": 1})
    with pytest.raises(Conflict):
        await mine.save()
    assert [message.content for message in await mine.history()] == ["theirs", "mine"]


async def test_a_rewrite_keeps_what_others_wrote_meanwhile(keep: Keep, manager: SessionManager) -> None:
    conversation = await manager.get_or_create("s")
    for rewrite in (conversation.clear_history, conversation.reset, lambda: conversation.set_history([])):
        await keep.sessions.update("s", metadata={"topic": "parcel"})
        await rewrite()
        assert (await keep.sessions.get("s")).metadata == {"topic": "parcel"}
        await keep.sessions.update("s", metadata={})
        await conversation.reload()


async def test_retry_counts_each_of_many_writers(manager: SessionManager) -> None:
    await (await manager.get_or_create("s")).set_data({"left": 8})
    calls = 0

    async def reserve(conversation: Any) -> int:
        nonlocal calls
        calls += 1
        left: int = conversation.data["left"]
        await asyncio.sleep(0)
        await conversation.set_data({"left": left - 1})
        return left

    writers = [await manager.get("s") for _ in range(8)]
    got = await asyncio.gather(*(writer.retry(reserve) for writer in writers))
    assert sorted(got) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (await manager.get("s")).data == {"left": 0}
    assert calls > 8, "some were tried again"


async def test_usage_of_a_session_a_user_and_an_agent(keep: Keep) -> None:
    everybody = SessionManager(keep, agent_name="support")
    for user, cost in (("ann", "0.10"), ("ann", "0.000000001"), ("bob", 2)):
        conversation = await everybody.get_or_create(user_id=user)
        await conversation.add_usage(input_tokens=10, output_tokens=1, cost=cost)
        await conversation.add_usage(input_tokens=10)
    usage = await conversation.usage()
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (20, 1, 21)
    assert (usage.cost_nanos, usage.cost) == (2 * 10**9, 2)
    ann = await everybody.usage(user_id="ann")
    assert (ann.total_tokens, ann.cost_nanos) == (42, 100_000_001)
    assert (await everybody.usage()).cost_nanos == 2_100_000_001
    assert (await SessionManager(keep).usage(agent_name="support")).input_tokens == 60
    assert (await SessionManager(keep, agent_name="other").usage()).total_tokens == 0


@pytest.mark.parametrize("cost", [0.1, "much", "NaN", "Infinity", True, None])
async def test_a_cost_is_exact(manager: SessionManager, cost: Any) -> None:
    conversation = await manager.get_or_create()
    with pytest.raises(InvalidInput, match="cost is"):
        await conversation.add_usage(cost=cost)
