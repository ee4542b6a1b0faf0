"""What Agentkeep's own verbs do to a transcript: removal, a policy, a search, an export."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import View
from agentkeep.bridging import joined_id
from agentkeep.retention import RetentionPolicy, delete_whole, prune
from agentkeep.transfer import export_chats
from agentkeep_claude_agent import AgentkeepSessionStore
from claude_agent_sdk import SessionKey

pytestmark = pytest.mark.anyio
KEY: SessionKey = {"project_key": "p", "session_id": "11111111-1111-4111-8111-111111111111"}
SUB: SessionKey = {**KEY, "subpath": "subagents/agent-1"}
ID = joined_id("p", KEY["session_id"])


def entry(uuid: str, role: str, text: str) -> Any:
    """With what the SDK writes beside the message."""
    around = {"cwd": "/home/ann/trips", "gitBranch": "main", "version": "2.1.0", "timestamp": "2026-11-28T12:00:00Z"}
    message = {"role": role, "content": [{"type": "text", "text": text}]}
    return {"type": role, "uuid": uuid, "message": message, **around}


@pytest.fixture
async def store(view: View) -> AgentkeepSessionStore:
    store = AgentkeepSessionStore(view)
    await store.append(KEY, [entry("1", "user", "a window seat"), entry("2", "assistant", "14A is free.")])
    await store.append(SUB, [entry("3", "user", "look at the plan")])
    return store


async def test_a_transcript_goes_with_its_subagents(view: View, store: AgentkeepSessionStore) -> None:
    await store.append({**KEY, "session_id": "other"}, [entry("1", "user", "hi")])
    assert await delete_whole(view, ID) == 2
    assert [session.id async for session in view.sessions.iterate()] == ["p/other"]
    assert await store.load(SUB) is None


async def test_a_policy_keeps_or_removes_a_transcript_whole(view: View, store: AgentkeepSessionStore) -> None:
    policy = RetentionPolicy(max_idle=timedelta(hours=1), max_age=timedelta(hours=1), max_sessions_per_user=1)
    assert (await prune(view, policy)).sessions == 0
    await asyncio.sleep(0.005)
    assert (await prune(view, RetentionPolicy(max_age=0.001))).too_old == 2
    assert await view.sessions.count() == 0


async def test_a_search_finds_what_was_said_alone(view: View, store: AgentkeepSessionStore) -> None:
    if not view.capabilities.search:
        pytest.skip("this adapter has no search")
    assert [hit.message.id for hit in await view.messages.search("14a")] == ["2"]
    for query in ("ann", "2026", "main", "2.1"):
        assert await view.messages.search(query) == []


async def test_an_export_has_what_was_said(view: View, store: AgentkeepSessionStore) -> None:
    [line] = [line async for line in export_chats(view, [ID])]
    assert [said["role"] for said in json.loads(line)["messages"]] == ["user", "assistant"]
    assert "14A is free." in line.decode()
