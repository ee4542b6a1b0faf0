"""What Agentkeep's own verbs do to a conversation: a policy, a copy, a search, an export."""

from __future__ import annotations

import json

import pytest
from agentkeep import View
from agentkeep.retention import RetentionPolicy, prune
from agentkeep.transfer import export_chats
from agentkeep_pydantic_ai import AgentkeepConversationStore
from pydantic_ai import Agent, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import ConversationConflict
from pydantic_ai.exceptions import UserError
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RunUsage

pytestmark = pytest.mark.anyio


def says(text: str) -> ModelRequest:
    return ModelRequest(parts=[UserPromptPart(content=text)])


async def talk(view: View, *texts: str, scope: str | None = None) -> Conversation:
    """Two messages for each text, one save each."""
    store = AgentkeepConversationStore(view)
    conversation = Conversation(conversation_id="c", usage=RunUsage(requests=len(texts)))
    for text in texts:
        conversation.messages += [says(text), ModelResponse(parts=[TextPart(content=text.upper())])]
        await store.save(conversation, scope=scope)
    return conversation


def texts(found: Conversation | None) -> list[str]:
    assert found is not None
    return [str(getattr(part, "content", "")) for message in found.messages for part in message.parts]


async def test_a_conversation_that_a_policy_cut_loads_from_what_is_left_and_goes_on(view: View) -> None:
    await talk(view, "a", "b", "c")
    await prune(view, RetentionPolicy(max_messages_per_session=3))
    store = AgentkeepConversationStore(view)
    loaded = await store.load("c")
    assert texts(loaded) == ["B", "c", "C"]
    assert texts(await store.load("c", limit=2)) == ["c", "C"]
    result = await Agent(TestModel(custom_output_text="D")).run("d", conversation=loaded)
    assert len(await store.save(result)) == 2
    assert texts(await AgentkeepConversationStore(view).load("c")) == ["B", "c", "C", "d", "D"]
    assert texts(await store.fork("c", new_conversation_id="f")) == ["B", "c", "C", "d", "D"]


async def test_a_history_whose_head_a_policy_cut_is_empty(view: View) -> None:
    """The head is an early message of the log after a branch back to it."""
    said = await talk(view, "a", "b", "c")
    await AgentkeepConversationStore(view).branch("c", at=2, expected_revision=said.revision)
    await prune(view, RetentionPolicy(max_messages_per_session=3))
    store = AgentkeepConversationStore(view)
    loaded = await store.load("c")
    assert texts(loaded) == []
    assert loaded is not None
    loaded.messages.append(says("d"))
    await store.save(loaded)
    assert texts(await store.load("c")) == ["d"]


@pytest.mark.parametrize("new_id", ["f", "a/b%2Fc", "#" + "0" * 64])
async def test_a_copy_that_core_made_is_a_conversation_of_its_own(view: View, new_id: str) -> None:
    """As `agentkeep fork` makes one, with any id."""
    await talk(view, "a", "b", scope="ann")
    store = AgentkeepConversationStore(view)
    await store.load("c")
    await view.sessions.fork("c", new_id=new_id)
    forked = [record for record in await store.read_records(scope="ann") if record.forked_from == "c"]
    assert [(record.scope, record.usage.requests) for record in forked] == [("ann", 2)]
    id = forked[0].conversation_id
    if new_id == "f":
        assert id == "f"
        loaded = await AgentkeepConversationStore(view).load("f")
        assert texts(loaded) == ["a", "A", "b", "B"]
        assert loaded is not None
        assert (loaded.conversation_id, loaded.usage.requests) == ("f", 2)
        loaded.messages.append(says("only here"))
        await store.save(loaded)
        assert texts(await store.load("f"))[-1] == "only here"
        assert texts(await store.load("c"))[-1] == "B"
        with pytest.raises(ConversationConflict):
            await store.save(Conversation(conversation_id="f"))


async def test_a_copy_up_to_an_earlier_message_ends_there(view: View) -> None:
    await talk(view, "a", "b", "c")
    await view.sessions.fork("c", at_seq=3, new_id="f")
    store = AgentkeepConversationStore(view)
    loaded = await store.load("f")
    assert texts(loaded) == ["a", "A", "b"]
    assert loaded is not None
    assert loaded.usage == RunUsage(), "as in Pydantic AI's own forks: the usage of a part is not known"
    loaded.messages.append(says("x"))
    await store.save(loaded)
    assert texts(await AgentkeepConversationStore(view).load("f")) == ["a", "A", "b", "x"]
    await view.sessions.fork("c", at_seq=0, new_id="empty")
    assert texts(await store.load("empty")) == []


async def test_a_search_finds_what_was_said_alone(view: View) -> None:
    if not view.capabilities.search:
        pytest.skip("this adapter has no search")
    await talk(view, "a window seat")
    assert sorted(hit.message.seq for hit in await view.messages.search("window")) == [1, 2]
    year = str((await view.sessions.get("c")).created_at.year)
    for query in (year, "user-prompt", "request", "kind", "parts"):
        assert await view.messages.search(query) == []


async def test_an_export_has_what_was_said(view: View) -> None:
    await talk(view, "a window seat")
    [line] = [line async for line in export_chats(view, ["c"])]
    assert [(said["role"], said["content"]) for said in json.loads(line)["messages"]] == [
        ("user", "a window seat"),
        ("assistant", "A WINDOW SEAT"),
    ]


async def test_a_session_of_another_framework_is_refused(view: View) -> None:
    await view.sessions.create("c", agent_name="strands", state={"record": {}})
    with pytest.raises(UserError, match="is of strands"):
        await AgentkeepConversationStore(view).load("c")
