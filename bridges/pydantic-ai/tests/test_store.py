"""What Pydantic AI's docstrings promise of a `ConversationStore`, on every database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from agentkeep import View
from agentkeep_pydantic_ai import AgentkeepConversationStore
from pydantic_ai import Agent, BinaryContent, ModelRequest, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import ConversationConflict, ConversationRecord
from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RequestUsage, RunUsage

pytestmark = pytest.mark.anyio
WHEN = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture
def store(view: View) -> AgentkeepConversationStore:
    return AgentkeepConversationStore(view)


def says(text: str) -> ModelRequest:
    return ModelRequest(parts=[UserPromptPart(content=text, timestamp=WHEN)])


def answers(text: str, tokens: int = 0) -> ModelResponse:
    return ModelResponse(parts=[TextPart(content=text)], timestamp=WHEN, usage=RequestUsage(input_tokens=tokens))


def conversation(id: str, *messages: ModelMessage) -> Conversation:
    return Conversation(conversation_id=id, messages=list(messages))


def texts(found: Conversation | None) -> list[str]:
    assert found is not None
    return [part.content for message in found.messages for part in message.parts]  # type: ignore[union-attr]


async def test_a_run_is_saved_and_goes_on(view: View) -> None:
    agent = Agent(TestModel(custom_output_text="fine"))
    first = AgentkeepConversationStore(view)
    result = await agent.run("how are you?", conversation=conversation("c"))
    await first.save(result)
    second = AgentkeepConversationStore(view)  # as another process would
    loaded = await second.load("c")
    assert loaded is not None
    assert loaded.messages == result.all_messages()
    result = await agent.run("and now?", conversation=loaded)
    stored = await second.save(result)
    assert len(stored) == 2
    assert texts(await first.load("c")) == ["how are you?", "fine", "and now?", "fine"]
    session = await view.sessions.get("c")
    assert session.message_count == 4
    assert session.counters["output_tokens"] == result.usage.output_tokens


async def test_everything_of_a_message_comes_back_equal(store: AgentkeepConversationStore) -> None:
    messages: list[ModelMessage] = [
        ModelRequest(parts=[UserPromptPart(content=["look", BinaryContent(b"\x00\xff", media_type="audio/wav")])]),
        ModelResponse(parts=[ToolCallPart("f", {"n": 2**70, "x": 0.5}, tool_call_id="1")], provider_details={"k": [1]}),
        says("half an emoji \ud83d"),
    ]
    await store.save(conversation("c", *messages))
    loaded = await store.load("c")
    assert loaded is not None
    assert loaded.messages == messages


async def test_a_window_holds_the_newest_and_a_save_still_extends_the_whole(store: AgentkeepConversationStore) -> None:
    await store.save(conversation("c", *(says(f"m{n}") for n in range(30))))
    window = await store.load("c", limit=4)
    assert window is not None
    assert texts(window) == ["m26", "m27", "m28", "m29"]
    window.messages.append(says("new"))
    await store.save(window)
    assert len(texts(await store.load("c"))) == 31
    assert texts(await store.load("c", limit=0)) == []
    with pytest.raises(UserError):
        await store.load("c", limit=-1)


async def test_a_stale_save_is_a_conflict_and_stores_nothing(view: View, store: AgentkeepConversationStore) -> None:
    await store.save(conversation("c", says("a")))
    one, two = await store.load("c"), await AgentkeepConversationStore(view).load("c")
    assert one is not None
    assert two is not None
    one.messages.append(says("one"))
    two.messages.append(says("two"))
    await store.save(one)
    with pytest.raises(ConversationConflict):
        await AgentkeepConversationStore(view).save(two)
    with pytest.raises(ConversationConflict):
        await store.save(conversation("c", says("new under an old name")))
    assert texts(await store.load("c")) == ["a", "one"]
    assert (await view.sessions.get("c")).message_count == 2


async def test_a_conversation_of_an_earlier_life_can_not_be_saved_over_a_new_one(
    view: View, store: AgentkeepConversationStore
) -> None:
    await store.save(conversation("c", says("first life")))
    stale = await store.load("c")
    assert stale is not None
    other = AgentkeepConversationStore(view)
    await other.delete("c")
    await other.save(conversation("c", says("second life")))
    stale.messages.append(says("more"))
    with pytest.raises(ConversationConflict):
        await store.save(stale)
    assert texts(await store.load("c")) == ["second life"]


async def test_eight_writers_race_and_one_wins_each_round(view: View) -> None:
    await AgentkeepConversationStore(view).save(conversation("c"))

    async def writer(name: str) -> bool:
        store = AgentkeepConversationStore(view)
        loaded = await store.load("c")
        assert loaded is not None
        loaded.messages.append(says(name))
        try:
            await store.save(loaded)
        except ConversationConflict:
            return False
        return True

    won = 0
    for turn in range(3):
        won += sum(await asyncio.gather(*(writer(f"{turn}-{name}") for name in range(8))))
    stored = texts(await AgentkeepConversationStore(view).load("c"))
    assert won == len(stored) >= 3
    assert len(set(stored)) == len(stored)


async def test_a_branch_leaves_the_history_it_left_within_reach(store: AgentkeepConversationStore) -> None:
    await store.save(conversation("c", says("a"), answers("b"), says("c"), answers("d")))
    loaded = await store.load("c")
    entries = await store.load_entries("c")
    assert loaded is not None
    assert entries is not None
    branched = await store.branch("c", at=2, expected_revision=loaded.revision)
    branched.messages.append(says("other"))
    await store.save(branched)
    assert texts(await store.load("c")) == ["a", "b", "other"]
    with pytest.raises(ConversationConflict):
        await store.branch("c", at=1, expected_revision=loaded.revision)
    back = await store.branch("c", from_entry=entries[3].id, expected_revision=branched.revision)
    assert texts(back) == ["a", "b", "c", "d"]
    record = await store.read_record("c")
    assert record is not None
    assert record.head_id == entries[3].id
    assert len(record.branches) == 1


async def test_a_rewritten_history_branches_off_the_last_shared_message(store: AgentkeepConversationStore) -> None:
    await store.save(conversation("c", says("a"), answers("b"), says("c")))
    loaded = await store.load("c")
    assert loaded is not None
    rewritten = Conversation(conversation_id="c", messages=[says("a"), says("summary")], revision=loaded.revision)
    stored = await store.save(rewritten)
    assert len(stored) == 1
    assert texts(await store.load("c")) == ["a", "summary"]
    record = await store.read_record("c")
    assert record is not None
    assert [entry.message for entry in await store.read_history(record.branches[0])] == loaded.messages


async def test_a_fork_goes_on_alone_and_outlives_its_source(view: View, store: AgentkeepConversationStore) -> None:
    await store.save(conversation("c", says("a"), answers("b"), says("c")), scope="ann")
    fork = await store.fork("c", at=2, new_conversation_id="f")
    fork.messages.append(says("fork"))
    await store.save(fork)
    assert texts(await store.load("f", scope="ann")) == ["a", "b", "fork"]
    assert texts(await store.load("c")) == ["a", "b", "c"]
    with pytest.raises(ConversationConflict):
        await store.fork("c", new_conversation_id="f")
    record = await store.read_record("f")
    assert record is not None
    assert (record.forked_from, record.usage) == ("c", RunUsage())
    await store.delete("c")
    assert texts(await AgentkeepConversationStore(view).load("f")) == ["a", "b", "fork"]
    assert texts(await store.fork("f", new_conversation_id="g", at=0)) == []


async def test_a_scope_keeps_others_out(store: AgentkeepConversationStore) -> None:
    await store.save(conversation("c", says("a")), scope="ann/1")
    assert await store.load("c", scope="bob") is None
    await store.delete("c", scope="bob")
    loaded = await store.load("c", scope="ann/1")
    assert loaded is not None
    with pytest.raises(ConversationConflict):
        await store.save(loaded, scope="bob")
    loaded.messages.append(says("b"))
    await store.save(loaded)
    record = await store.read_record("c")
    assert record is not None
    assert record.scope == "ann/1"


async def test_a_list_is_newest_first(store: AgentkeepConversationStore) -> None:
    for name in "abc":
        await store.save(conversation(name, says(name)), scope="ann" if name != "b" else "bob")
    again = await store.load("a")
    assert again is not None
    again.messages.append(says("more"))
    await store.save(again)
    assert [record.conversation_id for record in await store.list_conversations()] == ["a", "c", "b"]
    assert [record.conversation_id for record in await store.list_conversations(scope="ann", limit=1)] == ["a"]
    assert await store.list_conversations(scope="nobody") == []
    with pytest.raises(UserError):
        await store.list_conversations(limit=-1)


async def test_delete_erases_and_a_stale_delete_does_not(view: View, store: AgentkeepConversationStore) -> None:
    await store.save(conversation("c", says("a")))
    record = await store.read_record("c")
    assert record is not None
    loaded = await store.load("c")
    assert loaded is not None
    loaded.messages.append(says("b"))
    await store.save(loaded)
    with pytest.raises(ConversationConflict):
        await AgentkeepConversationStore(view).delete_record("c", expected_revision=record.revision)
    await store.delete("c")
    assert await store.load("c") is None
    assert await view.sessions.count() == 0
    with pytest.raises(ConversationConflict):
        await store.delete_record("c", expected_revision=record.revision)


async def test_a_head_that_nobody_has_is_a_conflict(store: AgentkeepConversationStore) -> None:
    await store.save(conversation("c", says("a")))
    record = ConversationRecord(conversation_id="d", head_id="no-such-entry")
    with pytest.raises(ConversationConflict):
        await store.write_record(record, expected_revision=None)
    with pytest.raises(LookupError):
        await store.read_entry("no-such-entry")
    with pytest.raises(LookupError):
        await store.read_history("no-such-entry")


async def test_an_entry_is_found_by_a_store_that_read_nothing_else(
    view: View, store: AgentkeepConversationStore
) -> None:
    await store.save(conversation("c", says("a")))
    [entry] = await store.save(conversation("d", says("b")))
    assert (await AgentkeepConversationStore(view).read_entry(entry.id)).message == says("b")


async def test_a_first_save_of_1500_messages_and_one_that_was_cut_short(view: View) -> None:
    long = [says(f"m{n}") for n in range(1_500)]
    await view.messages.append("c", [], create={"agent_name": "pydantic-ai"}, expected_version=0, add={"x": 1})
    store = AgentkeepConversationStore(view)
    assert await store.load("c") is None
    await store.save(conversation("c", *long))
    assert texts(await AgentkeepConversationStore(view).load("c")) == [f"m{n}" for n in range(1_500)]


async def test_deferred_requests_and_usage_are_kept(store: AgentkeepConversationStore) -> None:
    from pydantic_ai import DeferredToolRequests

    paused = conversation("c", says("a"), answers("b", tokens=7))
    paused.deferred_tool_requests = DeferredToolRequests(approvals=[ToolCallPart("f", {"a": 1}, tool_call_id="1")])
    paused.usage = RunUsage(input_tokens=7, requests=1)
    await store.save(paused)
    loaded = await store.load("c")
    assert loaded is not None
    assert loaded.deferred_tool_requests == paused.deferred_tool_requests
    assert loaded.usage == paused.usage
