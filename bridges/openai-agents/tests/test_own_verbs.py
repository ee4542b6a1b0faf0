"""What Agentkeep's own verbs do to a session of the SDK: removal, a policy, a search, an export."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from agentkeep import InvalidInput, View
from agentkeep.bridging import item_message
from agentkeep.retention import RetentionPolicy, delete_whole, prune
from agentkeep.transfer import export_chats
from agentkeep_openai_agents import AgentkeepSession

pytestmark = pytest.mark.anyio


def items(*numbers: int) -> list[Any]:
    return [{"role": "user", "content": f"m{number}"} for number in numbers]


async def with_branches(view: View) -> AgentkeepSession:
    """Main, a branch of it, and a branch of that."""
    session = AgentkeepSession("s", view)
    await session.add_items(items(1, 2))
    await session.create_branch("other")
    await session.create_branch("third")
    return session


async def ids(view: View) -> list[str]:
    return sorted([session.id async for session in view.sessions.iterate()])


async def test_a_session_goes_with_its_branches(view: View) -> None:
    await with_branches(view)
    await AgentkeepSession("t", view).add_items(items(1))
    assert await delete_whole(view, "s") == 3
    assert await ids(view) == ["t"]


async def test_a_session_that_was_removed_alone_starts_anew(view: View) -> None:
    await with_branches(view)
    await view.sessions.delete("s")
    session = AgentkeepSession("s", view)
    assert await session.list_branches() == []
    with pytest.raises(ValueError, match="no branch"):
        await session.switch_to_branch("other")
    await session.add_items(items(7))
    assert [branch.name for branch in await session.list_branches()] == ["main"]
    with pytest.raises(ValueError, match="no branch"):
        await session.switch_to_branch("third")
    await session.create_branch("other")
    assert await session.get_items() == items(7)
    await session.delete_session()
    assert await ids(view) == []


async def test_a_session_is_as_young_as_its_last_used_branch(view: View) -> None:
    session = await with_branches(view)
    before = (await view.sessions.get("s")).updated_at
    await session.add_items(items(3))
    assert (await view.sessions.get("s")).updated_at > before
    policy = RetentionPolicy(max_idle=timedelta(hours=1), max_sessions_per_user=1)
    assert (await prune(view, policy)).sessions == 0
    await asyncio.sleep(0.005)
    assert (await prune(view, RetentionPolicy(max_age=0.001))).too_old == 3


async def test_a_search_finds_what_was_said_alone(view: View) -> None:
    if not view.capabilities.search:
        pytest.skip("this adapter has no search")
    answer: Any = {"type": "output_text", "text": "14A is free.", "annotations": [], "logprobs": []}
    talk: list[Any] = [
        {"role": "user", "content": "a window seat"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [answer]},
    ]
    await AgentkeepSession("s", view).add_items(talk)
    assert [hit.message.seq for hit in await view.messages.search("14a")] == [2]
    for query in ("completed", "msg_1", "assistant", "output_text"):
        assert await view.messages.search(query) == []


async def test_an_export_has_what_was_said(view: View) -> None:
    answer: Any = {"type": "output_text", "text": "14A is free.", "annotations": [], "logprobs": []}
    talk: list[Any] = [
        {"role": "user", "content": "a window seat"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [answer]},
    ]
    await AgentkeepSession("s", view).add_items(talk)
    [line] = [line async for line in export_chats(view, ["s"])]
    assert [said["role"] for said in json.loads(line)["messages"]] == ["user", "assistant"]
    assert "14A is free." in line.decode()


async def test_a_session_of_another_framework_is_refused(view: View) -> None:
    await view.messages.append("s", [item_message("google-adk", {"author": "user"}, role="user")], create={})
    with pytest.raises(InvalidInput, match="is of google-adk"):
        await AgentkeepSession("s", view).get_items()
