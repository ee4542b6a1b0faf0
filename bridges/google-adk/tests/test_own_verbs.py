"""What Agentkeep's own verbs do to a session of ADK: a policy, erasure, a search, an export. And a view is refused."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from agentkeep import InvalidInput, View
from agentkeep.bridging import joined_id
from agentkeep.retention import RetentionPolicy, prune
from agentkeep.transfer import export_chats
from agentkeep_google_adk import AgentkeepSessionService
from google.adk.events import Event, EventActions
from google.adk.sessions import Session
from google.genai import types

pytestmark = pytest.mark.anyio
ANN: dict[str, Any] = {"app_name": "app", "user_id": "ann"}


@pytest.fixture
def service(view: View) -> AgentkeepSessionService:
    return AgentkeepSessionService(view)


@pytest.fixture
async def session(service: AgentkeepSessionService) -> Session:
    """A question and an answer; both kinds of shared state."""
    session = await service.create_session(**ANN, session_id="s", state={"app:a": 1, "user:u": 2, "own": 3})
    for author, role, text in (("user", "user", "a window seat"), ("planner", "model", "14A is free.")):
        content = types.Content(role=role, parts=[types.Part(text=text)])
        actions = EventActions(state_delta={"seat": "14A"})
        event = Event(author=author, invocation_id="e-1", timestamp=time.time(), content=content, actions=actions)
        await service.append_event(session, event)
    return session


async def state(service: AgentkeepSessionService, user_id: str) -> dict[str, Any]:
    return (await service.create_session(app_name="app", user_id=user_id)).state


async def test_a_policy_removes_no_state_that_sessions_share(
    view: View, service: AgentkeepSessionService, session: Session
) -> None:
    for policy in (RetentionPolicy(max_age=0.001), RetentionPolicy(max_idle=0.001)):
        await asyncio.sleep(0.005)
        await prune(view, policy)
    assert await view.sessions.count(agent_name="google-adk") == 0
    assert await state(service, "ann") == {"app:a": 1, "user:u": 2}


async def test_a_user_is_erased_with_the_users_state(
    view: View, service: AgentkeepSessionService, session: Session
) -> None:
    await view.sessions.delete_user("ann")
    assert await state(service, "ann") == {"app:a": 1}


async def test_shared_state_is_not_one_of_a_users_sessions(view: View, session: Session) -> None:
    assert (await prune(view, RetentionPolicy(max_sessions_per_user=1))).sessions == 0


async def test_a_view_of_one_user_is_refused(view: View) -> None:
    with pytest.raises(InvalidInput, match="limited to one user"):
        AgentkeepSessionService(view.for_user("ann"))


async def test_a_search_finds_what_was_said_alone(view: View, session: Session) -> None:
    if not view.capabilities.search:
        pytest.skip("this adapter has no search")
    assert [hit.message.seq for hit in await view.messages.search("14a")] == [2]
    for query in ("planner", "e-1", "model", "seat 14A free planner"):
        assert await view.messages.search(query) == []


async def test_an_export_has_what_was_said(view: View, session: Session) -> None:
    [line] = [line async for line in export_chats(view, [joined_id("session", "app", "ann", "s")])]
    assert [said["role"] for said in json.loads(line)["messages"]] == ["user", "assistant"]
    assert "14A is free." in line.decode()
