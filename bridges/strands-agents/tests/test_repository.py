"""Agentkeep's repository under Strands, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from agentkeep import sync
from agentkeep.sync import SyncView
from agentkeep_strands_agents import AgentkeepSessionManager, AgentkeepSessionRepository
from script import Script
from strands import Agent
from strands import tool as make_tool  # pyright: ignore[reportUnknownVariableType] - a part of its type is unknown
from strands.types.exceptions import SessionException
from strands.types.session import Session, SessionAgent, SessionMessage, SessionType


@pytest.fixture
def view(url: str, tenant: str) -> Iterator[SyncView]:
    with sync.connect(url) as keep:
        yield keep.for_tenant(tenant)


@pytest.fixture
def repository(view: SyncView) -> AgentkeepSessionRepository:
    repository = AgentkeepSessionRepository(view)
    repository.create_session(Session("s", SessionType.AGENT))
    repository.create_agent("s", SessionAgent("a", {"n": 1}, {"kind": "null"}))
    return repository


def message(number: int, text: str = "hi") -> SessionMessage:
    return SessionMessage.from_message({"role": "user", "content": [{"text": text}]}, number)


@make_tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"sun in {city}"


def agent(view: SyncView, *answers: list[dict[str, Any]]) -> Agent:
    manager = AgentkeepSessionManager("chat", view)
    return Agent(
        agent_id="helper", model=Script(*answers), tools=[weather], session_manager=manager, callback_handler=None
    )


def test_an_agent_goes_on_where_it_was(view: SyncView) -> None:
    first = agent(view, [{"name": "weather", "input": '{"city": "Oslo"}'}], [{"text": "It is sunny."}])
    first("Weather in Oslo?")
    second = agent(view, [{"text": "Bye."}])
    assert second.messages == first.messages
    assert len(second.messages) == 4
    second("Thanks")
    assert len(agent(view).messages) == 6
    [stored] = view.sessions.list(agent_name="strands/agent").items
    assert [kept.role for kept in view.messages.tail(stored.id, 6)] == ["user", "assistant"] * 3


@pytest.mark.anyio
async def test_it_works_inside_a_running_loop(view: SyncView) -> None:
    await agent(view, [{"text": "hello"}]).invoke_async("hi")
    assert len(agent(view).messages) == 2


def test_records_come_back_equal(repository: AgentkeepSessionRepository) -> None:
    session = repository.read_session("s")
    assert session is not None
    assert (session.session_id, session.session_type) == ("s", SessionType.AGENT)
    found = repository.read_agent("s", "a")
    assert found is not None
    assert (found.state, found.conversation_manager_state) == ({"n": 1}, {"kind": "null"})
    odd = message(0, "half an emoji \ud83d")
    odd.message["content"].append({"image": {"format": "png", "source": {"bytes": b"\x00\xff"}}})
    repository.create_message("s", "a", odd)
    assert repository.read_message("s", "a", 0) == odd
    assert repository.read_session("other") is None
    assert repository.read_agent("s", "other") is None
    assert repository.read_message("s", "a", 9) is None
    assert repository.read_message("s", "other", 0) is None


def test_pages_of_messages(repository: AgentkeepSessionRepository) -> None:
    for number in range(6):
        repository.create_message("s", "a", message(number, str(number)))
    numbers = [found.message_id for found in repository.list_messages("s", "a")]
    assert numbers == [0, 1, 2, 3, 4, 5]
    assert [found.message_id for found in repository.list_messages("s", "a", limit=2, offset=3)] == [3, 4]
    assert [found.message_id for found in repository.list_messages("s", "a", offset=4)] == [4, 5]
    assert repository.list_messages("s", "a", limit=0) == []
    assert repository.list_messages("s", "other") == []


def test_an_update_keeps_the_time_of_creation(repository: AgentkeepSessionRepository) -> None:
    first = repository.read_agent("s", "a")
    assert first is not None
    changed = SessionAgent("a", {"n": 2}, {}, created_at="2000-01-01T00:00:00+00:00")
    repository.update_agent("s", changed)
    found = repository.read_agent("s", "a")
    assert found is not None
    assert (found.state, found.created_at) == ({"n": 2}, first.created_at)
    stored = message(0, "secret")
    repository.create_message("s", "a", stored)
    redacted = message(0, "secret")
    redacted.redact_message = {"role": "user", "content": [{"text": "gone"}]}
    redacted.created_at = "2000-01-01T00:00:00+00:00"
    repository.update_message("s", "a", redacted)
    kept = repository.read_message("s", "a", 0)
    assert kept is not None
    assert (kept.redact_message, kept.created_at) == (redacted.redact_message, stored.created_at)


def test_what_is_missing_or_there_already_is_refused(repository: AgentkeepSessionRepository) -> None:
    with pytest.raises(SessionException, match="exists already"):
        repository.create_session(Session("s", SessionType.AGENT))
    with pytest.raises(SessionException, match="exists already"):
        repository.create_agent("s", SessionAgent("a", {}, {}))
    with pytest.raises(SessionException, match="no session"):
        repository.create_agent("other", SessionAgent("a", {}, {}))
    with pytest.raises(SessionException, match="create it first"):
        repository.update_agent("s", SessionAgent("other", {}, {}))
    with pytest.raises(SessionException, match="is not in session"):
        repository.create_message("s", "other", message(0))
    with pytest.raises(SessionException, match="no message 7"):
        repository.update_message("s", "a", message(7))
    repository.create_message("s", "a", message(0, "one"))
    with pytest.raises(SessionException, match="other content"):
        repository.create_message("s", "a", message(0, "two"))


class Graph:
    """As much of a multi-agent as a repository looks at."""

    def __init__(self, id: str, state: dict[str, Any]) -> None:
        self.id, self.state = id, state

    def serialize_state(self) -> dict[str, Any]:
        return self.state


def test_multi_agents_and_delete(view: SyncView, repository: AgentkeepSessionRepository) -> None:
    graph: Any = Graph("g", {"status": "executing", "nodes": ["a"]})
    with pytest.raises(SessionException):
        repository.update_multi_agent("s", graph)
    repository.create_multi_agent("s", graph)
    assert repository.read_multi_agent("s", "g") == graph.state
    graph.state = {"status": "done"}
    repository.update_multi_agent("s", graph)
    assert repository.read_multi_agent("s", "g") == {"status": "done"}
    assert repository.read_multi_agent("s", "other") is None
    assert view.sessions.count() == 3
    repository.delete_session("s")
    assert view.sessions.count() == 0


def test_separators_never_mix_parts_up(repository: AgentkeepSessionRepository) -> None:
    for session_id in ("s/agent/a", "s/agent", "日" * 200):
        repository.create_session(Session(session_id, SessionType.AGENT))
        repository.create_agent(session_id, SessionAgent("a/b", {"of": session_id}, {}))
    for session_id in ("s/agent/a", "s/agent", "日" * 200):
        found = repository.read_agent(session_id, "a/b")
        assert found is not None
        assert found.state == {"of": session_id}
