"""Agentkeep's session under the OpenAI Agents SDK, on every database."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

import pytest
from agentkeep import AlreadyExists, InvalidInput, View
from agentkeep.messages import Messages
from agentkeep_openai_agents import AgentkeepSession, list_sessions
from agents import Agent, RunContextWrapper, Runner, SessionSettings, function_tool, set_tracing_disabled
from agents.memory import Session
from agents.testing import ScriptedModel, assistant_message, function_call

pytestmark = pytest.mark.anyio
set_tracing_disabled(True)


def items(*numbers: int) -> list[Any]:
    return [{"role": "user", "content": f"m{number}"} for number in numbers]


@pytest.fixture
def session(view: View) -> AgentkeepSession:
    return AgentkeepSession("s", view)


async def test_it_is_a_session(session: AgentkeepSession) -> None:
    assert isinstance(session, Session)


async def test_a_run_with_a_tool_is_stored_and_goes_on(view: View, session: AgentkeepSession) -> None:
    @function_tool
    def weather(city: str) -> str:
        return f"sun in {city}"

    script = [
        [function_call("weather", {"city": "Oslo"}, call_id="1")],
        [assistant_message("It is sunny.")],
        [assistant_message("Bye.")],
    ]
    agent = Agent(name="helper", model=ScriptedModel(script), tools=[weather])
    first = await Runner.run(agent, "Weather in Oslo?", session=session)
    await session.store_run_usage(first)
    stored = await session.get_items()
    assert [item.get("type", item.get("role")) for item in stored] == [
        "user", "function_call", "function_call_output", "message",
    ]  # fmt: skip
    again = await Runner.run(agent, "Thanks", session=AgentkeepSession("s", view))
    assert again.final_output == "Bye."
    assert len(await session.get_items()) == 6
    kept = await view.sessions.get("s")
    assert (await session.get_session_usage())["requests"] == kept.counters["requests"] == 2
    assert [message.role for message in await view.messages.tail("s", 6)] == [
        "user", "assistant", "tool", "assistant", "user", "assistant",
    ]  # fmt: skip


async def test_items_are_kept_verbatim(session: AgentkeepSession) -> None:
    odd: list[Any] = [{"type": "x", "cut": "\ud83d", "n": float("inf"), "k": {"a.b": [1, 1.0, None]}}, *items(1)]
    await session.add_items(odd)
    assert await session.get_items() == odd


async def test_limits(view: View, session: AgentkeepSession) -> None:
    await session.add_items(items(*range(1_500)))
    assert await session.get_items() == items(*range(1_500))
    assert await session.get_items(2) == items(1_498, 1_499)
    assert await session.get_items(0) == []
    limited = AgentkeepSession("s", view, session_settings=SessionSettings(limit=1))
    assert await limited.get_items() == items(1_499)


async def test_pop_and_clear(session: AgentkeepSession) -> None:
    assert await session.pop_item() is None
    await session.clear_session()
    await session.add_items([])
    assert await session.get_items() == []
    await session.add_items(items(1, 2))
    assert await session.pop_item() == items(2)[0]
    await session.clear_session()
    assert await session.pop_item() is None
    await session.add_items(items(3))
    assert await session.get_items() == items(3)


async def test_many_writers_lose_and_double_nothing(view: View) -> None:
    await asyncio.gather(*(AgentkeepSession("s", view).add_items(items(n, n)) for n in range(30)))
    stored = [str(item.get("content")) for item in await AgentkeepSession("s", view).get_items()]
    assert sorted(stored) == sorted(f"m{n}" for n in [*range(30), *range(30)])
    assert stored[::2] == stored[1::2]


async def test_each_run_is_of_its_user(view: View) -> None:
    session = AgentkeepSession("s", view, user_of=lambda wrapper: wrapper.context["user"])
    ann, bob = RunContextWrapper({"user": "ann"}), RunContextWrapper({"user": "bob"})
    agent = Agent(name="helper", model=ScriptedModel([[assistant_message("Hello, Ann.")]]))
    await Runner.run(agent, "hello", session=session, context={"user": "ann"})
    assert len(await session.get_items(wrapper=ann)) == 2
    assert await session.get_items(wrapper=bob) == []
    with pytest.raises(AlreadyExists):
        await session.add_items(items(1), wrapper=bob)
    with pytest.raises(InvalidInput, match="wrapper="):
        await session.get_items()


async def test_branches(view: View, session: AgentkeepSession) -> None:
    with pytest.raises(ValueError, match="no items"):
        await session.create_branch("early")
    await session.add_items(items(1, 2, 3))
    await session.create_branch("other", before_turn=2)
    assert session.branch == "other"
    await session.add_items(items(9))
    assert await session.get_items() == items(1, 9)
    await session.create_branch("third")
    with pytest.raises(ValueError, match="exists already"):
        await session.create_branch("third")
    with pytest.raises(ValueError, match="give 1 to 2"):
        await session.create_branch("fourth", before_turn=3)
    assert [(branch.name, branch.items) for branch in await session.list_branches()] == [
        ("main", 3), ("other", 2), ("third", 2),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="the current one"):
        await session.delete_branch("third")
    await session.switch_to_branch("main")
    assert await session.get_items() == items(1, 2, 3)
    await session.delete_branch("third")
    with pytest.raises(ValueError, match="no branch"):
        await session.switch_to_branch("third")
    await AgentkeepSession("t", view).add_items(items(1))
    assert [name async for name in list_sessions(view)] == ["t", "s"]
    await session.delete_session()
    assert [stored.id async for stored in view.sessions.iterate()] == ["t"]


async def test_a_cancelled_add_is_over_when_the_caller_goes_on(session: AgentkeepSession) -> None:
    started = asyncio.Event()
    append = Messages.append

    async def slow(*arguments: Any, **options: Any) -> Any:
        started.set()
        await asyncio.sleep(0.05)
        return await append(*arguments, **options)

    with patch.object(Messages, "append", slow):
        task = asyncio.create_task(session.add_items(items(1)))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await session.get_items() == items(1)


async def test_hostile_ids(view: View) -> None:
    names = ["a/b", "a%2Fb", "\x00", "", "x" * 300, "x" * 301, "日" * 200, "\ud800"]
    for name in names:
        await AgentkeepSession(name, view).add_items([{"role": "user", "content": name}])
    for name in names:
        assert await AgentkeepSession(name, view).get_items() == [{"role": "user", "content": name}]
    assert sorted([name async for name in list_sessions(view)]) == sorted(names)
