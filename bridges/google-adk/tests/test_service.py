"""What ADK asks of a session service, restated from its documentation and its own services, on every database."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from agentkeep import View
from agentkeep_google_adk import AgentkeepSessionService
from google.adk.agents import LlmAgent
from google.adk.cli.service_registry import get_service_registry, load_services_module
from google.adk.errors._stale_session_error import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events import Event, EventActions
from google.adk.runners import Runner
from google.adk.sessions import Session
from google.adk.sessions.base_session_service import GetSessionConfig
from google.genai import types
from script import Script

pytestmark = pytest.mark.anyio
ANN: dict[str, Any] = {"app_name": "app", "user_id": "ann"}


@pytest.fixture
def service(view: View) -> AgentkeepSessionService:
    return AgentkeepSessionService(view)


def event(
    text: str = "hi", *, author: str = "user", at: float | None = None, changes: Any = None, **delta: Any
) -> Event:
    return Event(
        author=author,
        invocation_id="turn",
        timestamp=time.time() if at is None else at,
        content=types.Content(role="user", parts=[types.Part(text=text)]),
        actions=EventActions(state_delta=changes or delta),
    )


async def stored(service: AgentkeepSessionService, id: str = "s", **config: Any) -> Session:
    session = await service.get_session(**ANN, session_id=id, config=GetSessionConfig(**config) if config else None)
    assert session is not None
    return session


def texts(session: Session) -> list[str]:
    return [
        part.text or "" for event in session.events for part in (event.content.parts if event.content else []) or []
    ]


async def test_create_and_get(service: AgentkeepSessionService) -> None:
    made = await service.create_session(**ANN, session_id=" s ", state={"a": 1, "b": {"c": None}})
    assert made.id == "s"
    found = await stored(service, " s ")
    assert (found.state, found.events, found.user_id) == ({"a": 1, "b": {"c": None}}, [], "ann")
    assert found.last_update_time == made.last_update_time
    assert await service.get_session(**ANN, session_id="other") is None
    assert await service.get_session(app_name="app", user_id="bob", session_id="s") is None
    assert await service.get_session(app_name="other", user_id="ann", session_id="s") is None
    with pytest.raises(AlreadyExistsError):
        await service.create_session(**ANN, session_id="s")
    assert len((await service.create_session(**ANN)).id) > 10


async def test_separators_never_mix_sessions_up(service: AgentkeepSessionService) -> None:
    keys = [("a/b", "c", "d"), ("a", "b/c", "d"), ("a", "b", "c/d"), ("a:b", "c", "d"), ("日" * 200, "x" * 300, "%2F")]
    for app, user, id in keys:
        await service.create_session(app_name=app, user_id=user, session_id=id, state={"key": [app, user, id]})
    for app, user, id in keys:
        found = await service.get_session(app_name=app, user_id=user, session_id=id)
        assert found is not None
        assert found.state == {"key": [app, user, id]}
        assert (found.app_name, found.user_id, found.id) == (app, user, id)


async def test_states_of_app_user_and_session(service: AgentkeepSessionService) -> None:
    await service.create_session(**ANN, session_id="s", state={"app:x": 1, "user:y": 2, "z": 3, "temp:t": 4})
    await service.create_session(**ANN, session_id="t")
    await service.create_session(app_name="app", user_id="bob", session_id="s")
    await service.create_session(app_name="other", user_id="ann", session_id="s")
    session = await stored(service)
    assert session.state == {"app:x": 1, "user:y": 2, "z": 3}
    await service.append_event(session, event(changes={"app:x": {"new": True}, "user:y": None, "z": 0, "temp:t": 5}))
    assert session.state == {"app:x": {"new": True}, "user:y": None, "z": 0, "temp:t": 5}
    assert (await stored(service)).state == {"app:x": {"new": True}, "user:y": None, "z": 0}
    assert (await stored(service, "t")).state == {"app:x": {"new": True}, "user:y": None}
    bob = await service.get_session(app_name="app", user_id="bob", session_id="s")
    assert bob is not None
    assert bob.state == {"app:x": {"new": True}}
    other = await service.get_session(app_name="other", user_id="ann", session_id="s")
    assert other is not None
    assert other.state == {}
    assert await service.get_user_state(**ANN) == {"y": None}
    assert await service.get_user_state(app_name="app", user_id="nobody") == {}
    assert "temp:t" not in (await stored(service)).events[0].actions.state_delta


async def test_shared_state_loses_no_writer(view: View, service: AgentkeepSessionService) -> None:
    async def writer(number: int) -> None:
        own = AgentkeepSessionService(view)
        session = await own.create_session(**ANN, session_id=f"s{number}")
        await own.append_event(session, event(changes={f"app:{number}": number, f"user:{number}": number}))

    await asyncio.gather(*(writer(number) for number in range(12)))
    assert await service.get_user_state(**ANN) == {str(number): number for number in range(12)}


async def test_events_come_back_equal_and_in_order_of_append(service: AgentkeepSessionService) -> None:
    session = await service.create_session(**ANN, session_id="s")
    when = time.time()
    for number in range(5):
        await service.append_event(session, event(f"m{number}", at=when))  # ties
    await service.append_event(session, event("older", at=when - 100))
    found = await stored(service)
    assert texts(found) == ["m0", "m1", "m2", "m3", "m4", "older"]
    assert found.events == session.events
    assert found.last_update_time == pytest.approx(when - 100, abs=1e-6) == session.last_update_time


async def test_bytes_and_odd_values_of_an_event(view: View, service: AgentkeepSessionService) -> None:
    session = await service.create_session(**ANN, session_id="s")
    odd = event("half an emoji \ud83d", n=2**70, f=0.5, nothing=None)
    blob = Event(
        author="agent",
        content=types.Content(
            role="model", parts=[types.Part(inline_data=types.Blob(data=b"\x00\xff", mime_type="x/y"))]
        ),
        usage_metadata=types.GenerateContentResponseUsageMetadata(prompt_token_count=7, candidates_token_count=2),
    )
    await service.append_event(session, odd)
    await service.append_event(session, blob)
    found = await stored(service)
    assert texts(found)[0] == "half an emoji \ud83d"
    assert found.events[1] == blob
    assert found.state == {"n": 2**70, "f": 0.5, "nothing": None}
    [kept] = (await view.sessions.list(agent_name="google-adk")).items
    assert kept.counters == {"input_tokens": 7, "output_tokens": 2}


async def test_recent_events_and_those_after_a_time(service: AgentkeepSessionService) -> None:
    session = await service.create_session(**ANN, session_id="s")
    for number in range(6):
        await service.append_event(session, event(f"m{number}", at=1_000.0 + number))
    assert texts(await stored(service, num_recent_events=2)) == ["m4", "m5"]
    assert texts(await stored(service, num_recent_events=0)) == []
    assert texts(await stored(service, after_timestamp=1_004.0)) == ["m4", "m5"]
    assert texts(await stored(service, after_timestamp=1_001.0, num_recent_events=3)) == ["m3", "m4", "m5"]


async def test_more_events_than_one_page(service: AgentkeepSessionService) -> None:
    session = await service.create_session(**ANN, session_id="s")
    for number in range(1_005):
        await service.append_event(session, event(str(number)))
    assert texts(await stored(service)) == [str(number) for number in range(1_005)]


async def test_partial_events_are_not_stored(service: AgentkeepSessionService) -> None:
    session = await service.create_session(**ANN, session_id="s")
    partial = event("par")
    partial.partial = True
    await service.append_event(session, partial)
    assert (await stored(service)).events == session.events == []


async def test_a_stale_writer_is_refused_and_nothing_of_it_is_stored(
    view: View, service: AgentkeepSessionService
) -> None:
    await service.create_session(**ANN, session_id="s")
    one, two = await stored(service), await stored(service)
    await service.append_event(one, event("first", a=1))
    for late in (event("second"), event("second", a=2)):
        with pytest.raises(StaleSessionError):
            await AgentkeepSessionService(view).append_event(two, late)
    await service.append_event(one, event("third"))
    assert texts(await stored(service)) == ["first", "third"]
    assert (await stored(service)).state == {"a": 1}


async def test_a_writer_of_an_earlier_life_is_refused(service: AgentkeepSessionService) -> None:
    await service.create_session(**ANN, session_id="s")
    old = await stored(service)
    await service.delete_session(**ANN, session_id="s")
    with pytest.raises(SessionNotFoundError):
        await service.append_event(old, event())
    await service.create_session(**ANN, session_id="s")
    with pytest.raises(StaleSessionError):
        await service.append_event(old, event())
    assert (await stored(service)).events == []


async def test_list_is_oldest_first_and_without_events(service: AgentkeepSessionService) -> None:
    for id in "abc":
        await service.create_session(**ANN, session_id=id, state={"user:name": "Ann", "own": id})
    await service.create_session(app_name="app", user_id="bob", session_id="d")
    await service.create_session(app_name="other", user_id="ann", session_id="e")
    await service.append_event(await stored(service, "a"), event())
    listed = (await service.list_sessions(**ANN)).sessions
    assert [session.id for session in listed] == ["b", "c", "a"]
    assert listed[2].state == {"user:name": "Ann", "own": "a"}
    assert [session.events for session in listed] == [[], [], []]
    everybody = (await service.list_sessions(app_name="app")).sessions
    assert [session.id for session in everybody] == ["b", "c", "d", "a"]
    assert (await service.list_sessions(app_name="nobody")).sessions == []


async def test_delete(service: AgentkeepSessionService) -> None:
    await service.create_session(**ANN, session_id="s", state={"user:kept": 1})
    await service.delete_session(**ANN, session_id="s")
    await service.delete_session(**ANN, session_id="s")
    assert await service.get_session(**ANN, session_id="s") is None
    assert await service.get_user_state(**ANN) == {"kept": 1}


def says(**part: Any) -> types.Content:
    return types.Content(role="model", parts=[types.Part(**part)])


async def test_the_runner_with_a_tool_turn(view: View, service: AgentkeepSessionService) -> None:
    def weather(city: str) -> dict[str, str]:
        """The weather of a city."""
        return {"sky": f"sun in {city}"}

    call = types.FunctionCall(name="weather", args={"city": "Oslo"})
    model = Script(answers=[says(function_call=call), says(text="It is sunny."), says(text="Bye.")])
    agent = LlmAgent(name="helper", model=model, tools=[weather], output_key="last")
    runner = Runner(app_name="app", agent=agent, session_service=service)
    await service.create_session(**ANN, session_id="s")
    for text in ("Weather in Oslo?", "Thanks"):
        message = types.Content(role="user", parts=[types.Part(text=text)])
        async for _ in runner.run_async(user_id="ann", session_id="s", new_message=message):
            pass
    session = await stored(service)
    assert session.state == {"last": "Bye."}
    assert [event.author for event in session.events] == ["user", "helper", "helper", "helper", "user", "helper"]
    [kept] = (await view.sessions.list(agent_name="google-adk")).items
    roles = [message.role async for message in view.messages.iterate(kept.id)]
    assert roles == ["user", "assistant", "tool", "assistant", "user", "assistant"]


async def test_adk_makes_the_service_of_a_uri(tmp_path: Path) -> None:
    (tmp_path / "services.yaml").write_text(
        "services:\n"
        "  - scheme: agentkeep+sqlite\n"
        "    type: session\n"
        "    class: agentkeep_google_adk.AgentkeepSessionServiceByUri\n"
    )
    load_services_module(str(tmp_path))
    uri = f"agentkeep+sqlite:///{tmp_path / 'chat.db'}"
    for expected in (None, "s"):
        service = get_service_registry().create_session_service(uri, agents_dir=str(tmp_path))
        assert service is not None
        found = await service.get_session(**ANN, session_id="s")
        assert (found.id if found else None) == expected
        if found is None:
            await service.create_session(**ANN, session_id="s")
        await service.close()  # type: ignore[attr-defined]
