"""What Agentkeep's own verbs do to a session of Strands: removal, a policy, counters, a search, an export."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import sync
from agentkeep.retention import RetentionPolicy, delete_whole
from agentkeep.sync import SyncView
from agentkeep.transfer import export_chats
from agentkeep_strands_agents import AgentkeepSessionManager
from script import Script
from strands import Agent
from strands.types.exceptions import SessionException


@pytest.fixture
def view(url: str, tenant: str) -> Iterator[SyncView]:
    with sync.connect(url) as keep:
        yield keep.for_tenant(tenant)


def agent(view: SyncView, *answers: str, **options: Any) -> Agent:
    manager = AgentkeepSessionManager("chat", view)
    model = Script(*([{"text": text}] for text in answers), **options)
    return Agent(agent_id="helper", model=model, session_manager=manager, callback_handler=None)


def ids(view: SyncView) -> list[str]:
    return sorted(session.id for session in view.sessions.iterate())


def test_a_session_that_was_removed_alone_starts_anew(view: SyncView) -> None:
    agent(view, "Hello.")("hi")
    view.sessions.delete("chat")
    assert ids(view) == ["chat/agent/helper"]
    second = agent(view, "Who are you?")
    assert second.messages == []
    second("hi again")
    assert len(agent(view).messages) == 2


def test_a_new_session_leaves_the_agents_of_a_racing_writer_alone(view: SyncView) -> None:
    """Only what was last written to before the session was made is of an earlier life."""
    first = AgentkeepSessionManager("chat", view)
    Agent(agent_id="helper", model=Script(), session_manager=first, callback_handler=None)
    AgentkeepSessionManager("chat", view)
    assert ids(view) == ["chat", "chat/agent/helper"]


def test_a_session_goes_with_its_agents(view: SyncView) -> None:
    agent(view, "Hello.")("hi")
    assert view.runner.run(delete_whole(view.asynchronous, "chat")) == 2
    assert ids(view) == []


def test_a_session_is_as_young_as_the_last_message_of_its_agents(view: SyncView) -> None:
    helper = agent(view, "Hello.", "Hello again.")
    before = view.sessions.get("chat").updated_at
    helper("hi")
    between = view.sessions.get("chat").updated_at
    helper("hi again")
    assert before < between < view.sessions.get("chat").updated_at


def test_a_policy_keeps_or_removes_a_session_whole(view: SyncView) -> None:
    first = agent(view, "Hello.")
    first("hi")
    AgentkeepSessionManager("other", view)
    policy = RetentionPolicy(max_idle=timedelta(hours=1), max_age=timedelta(hours=1), max_sessions_per_user=1)
    assert sync.prune(view, policy).sessions == 0
    time.sleep(0.005)
    assert sync.prune(view, RetentionPolicy(max_age=0.001)).too_old == 3
    assert ids(view) == []


def test_tokens_are_counted(view: SyncView) -> None:
    agent(view, "Hello.", usage={"inputTokens": 7, "outputTokens": 2, "totalTokens": 9})("hi")
    assert view.sessions.get("chat/agent/helper").counters == {"input_tokens": 7, "output_tokens": 2}


def test_a_search_finds_what_was_said_alone(view: SyncView) -> None:
    if not view.capabilities.search:
        pytest.skip("this adapter has no search")
    agent(view, "14A is free.")("a window seat")
    assert [hit.message.seq for hit in view.messages.search("14a")] == [2]
    year = str(view.sessions.get("chat").created_at.year)
    for query in (year, "assistant", "latency"):
        assert view.messages.search(query) == []


def test_an_export_has_what_was_said(view: SyncView) -> None:
    agent(view, "14A is free.")("a window seat")

    async def exported() -> list[bytes]:
        return [line async for line in export_chats(view.asynchronous, ["chat/agent/helper"])]

    [line] = view.runner.run(exported())
    assert [said["role"] for said in json.loads(line)["messages"]] == ["user", "assistant"]
    assert "14A is free." in line.decode()
    assert "null" not in line.decode()


def test_a_session_of_another_framework_is_refused(view: SyncView) -> None:
    view.sessions.create("chat", agent_name="pydantic-ai", state={"record": {}})
    with pytest.raises(SessionException, match="is of pydantic-ai"):
        AgentkeepSessionManager("chat", view)
