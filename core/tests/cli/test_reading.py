"""`sessions`, `show`, `search`, `stats`, `doctor`, `adapters`, `config`: what they print, plain and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agentkeep import sync
from agentkeep._registry import GROUP
from agentkeep.bridging import item_message

from .conftest import Run, assistant, user

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def three_sessions(run: Run, conversations: Write) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"n": 1}'}}
    talk = [
        user("Where is\nthe 図書館?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "name": "look_up", "content": "2nd street"},
        assistant("In 2nd street."),
    ]
    path = conversations({"id": "a", "user_id": "u1", "title": "図書館", "messages": talk}, {"id": "b", "messages": []})
    run("import", str(path))
    run("import", str(conversations({"id": "c", "user_id": "u2", "messages": [user("x")]})))


def test_sessions(run: Run) -> None:
    lines = run("sessions").out.splitlines()
    assert lines[0].split() == ["ID", "STATUS", "MESSAGES", "UPDATED", "USER", "AGENT", "TITLE"]
    assert lines[1].split()[:3] == ["c", "active", "1"]
    assert lines[1].endswith("u2    -      -")
    assert not any("\x1b" in line for line in lines)
    assert [line["id"] for line in run("sessions", "--json", "--limit", "1").lines()] == ["c"]
    assert [line["id"] for line in run("sessions", "--json", "--user", "u1").lines()] == ["a"]
    assert run("sessions", "--json", "--status", "completed").out == ""


def test_options_stand_before_the_command_or_behind_it(run: Run) -> None:
    before = run("--json", "--url", "sqlite:///chat.db", "--tenant", "default", "sessions")
    behind = run("sessions", "--json", "--url", "sqlite:///chat.db", "--tenant", "default")
    assert before == behind
    assert len(before.lines()) == 3
    assert run("--tenant", "default", "sessions", "--tenant", "other", "--json").out == ""


def test_show(run: Run) -> None:
    text = run("show", "a").out
    assert "a | active | 4 messages | user u1" in text
    assert "#1 user" in text
    assert "  Where is\n  the 図書館?\n" in text
    assert '  calls look_up({"n": 1}) as c1' in text
    assert "#3 tool look_up (result of c1)" in text


@pytest.mark.parametrize(
    ("framework", "events", "shown"),
    [
        (
            "openai-agents",
            [
                {"role": "user", "content": "Weather?"},
                {"type": "function_call", "call_id": "1", "name": "weather", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "1", "output": "sun"},
            ],
            ["  Weather?\n", "  calls weather({}) as 1\n", "#3 x (result of 1)"],
        ),
        ("google-adk", [{"author": "user", "actions": {"stateDelta": {"a": 1}}}], ['"stateDelta":{"a":1}']),
        ("google-adk", [{"content": "of an unknown form"}], ['{"content":"of an unknown form"}']),
    ],
)
def test_show_a_frameworks_session_as_a_chat(
    run: Run, framework: str, events: list[dict[str, Any]], shown: list[str]
) -> None:
    with sync.connect("sqlite:///chat.db") as keep:
        keep.messages.append("framework", [item_message(framework, event, role="x") for event in events], create={})
    text = run("show", "framework").out
    assert [part for part in shown if part not in text] == []


@pytest.mark.parametrize(("tail", "seqs"), [("0", []), ("1", [4]), ("3", [2, 3, 4]), ("9", [1, 2, 3, 4])])
def test_show_tail(run: Run, tail: str, seqs: list[int]) -> None:
    assert [line["seq"] for line in run("show", "a", "--tail", tail, "--json").lines()] == seqs


def test_show_a_tail_of_more_than_one_page(run: Run, conversations: Write) -> None:
    run("import", str(conversations({"id": "long", "messages": [user(str(n)) for n in range(1_300)]})))
    shown = [line["content"] for line in run("show", "long", "--tail", "1234", "--json").lines()]
    assert shown == [str(n) for n in range(66, 1_300)]


def test_absent_session(run: Run) -> None:
    ran = run("show", "nobody")
    assert (ran.code, ran.out, ran.err) == (1, "", "agentkeep: no session 'nobody' here\n")


def test_search(run: Run) -> None:
    found = run("search", "図書館").out
    assert found.startswith("a #1 user")
    assert "**図書館**" in found
    assert [line["message"]["id"] for line in run("search", "street", "--role", "tool", "--json").lines()] == ["3"]
    assert run("search", "street", "--session", "c").out == ""
    assert run("search", 'street" OR *').code == 0


def test_stats(run: Run) -> None:
    found = json.loads(run("stats", "--json").out)
    assert (found["sessions"], found["messages"], found["by_status"]) == (3, 5, {"active": 3})
    assert found["by_agent"] == [{"agent_name": None, "sessions": 3}]
    assert found["file_bytes"] >= Path("chat.db").stat().st_size
    assert "messages  5" in run("stats").out
    assert "\n  no agent: 3\n" in run("stats").out
    assert json.loads(run("--url", "memory://", "stats", "--json").out)["file_bytes"] is None


def test_doctor(run: Run) -> None:
    before = run("export").out
    found = json.loads(run("doctor", "--json").out)
    assert (found["adapter"], found["write"], found["read"], found["delete"]) == ("sqlite", "ok", "ok", "ok")
    assert found["capabilities"]["search"] is True
    assert found["versions"].keys() >= {"python", "agentkeep", "agentkeep-sqlite"}
    assert run("export").out == before
    memory = run("--url", "memory://", "doctor")
    assert memory.code == 0
    assert "warning: everything is lost when this process ends" in memory.out


def test_adapters(run: Run) -> None:
    found = {line["scheme"]: line for line in run("adapters", "--json").lines()}
    assert found["memory"]["capabilities"]["shared"] is False
    assert found["sqlite"]["package"] == "agentkeep-sqlite"
    assert "memory://" in run("adapters").out


def test_an_adapter_that_says_nothing_without_a_server_is_one_short_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.metadata import EntryPoint

    from agentkeep import ConfigurationError
    from agentkeep_memory import MemoryAdapter

    class Remote(MemoryAdapter):
        @classmethod
        def from_url(cls, url: str, **options: Any) -> MemoryAdapter:
            raise ConfigurationError(f"{url!r} names no server: give one " + "at length " * 20)

    monkeypatch.setattr("agentkeep_memory.Remote", Remote, raising=False)
    found = {
        "remote": EntryPoint("remote", "agentkeep_memory:Remote", GROUP),
        "broken": EntryPoint("broken", "no_such_driver:Adapter", GROUP),
        "memory": EntryPoint("memory", "agentkeep_memory:MemoryAdapter", GROUP),
    }
    monkeypatch.setattr("agentkeep.cli.commands.about.installed_adapters", lambda: found)
    ran = run("adapters")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-2:] == [
        "broken: it can't be imported: No module named 'no_such_driver'",
        "remote: what it offers depends on the server: see agentkeep --url URL doctor",
    ]
    assert {line["scheme"]: line["error"] is None for line in run("adapters", "--json").lines()} == {
        "broken": False,
        "memory": True,
        "remote": False,
    }


def test_show_follow_is_refused_where_the_adapter_has_no_watch(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentkeep import Capabilities
    from agentkeep_memory import MemoryAdapter

    monkeypatch.setattr(MemoryAdapter, "capabilities", Capabilities(search=False, watch=False))
    follow = run("--url", "memory://", "show", "a", "--follow")
    search = run("--url", "memory://", "search", "a")
    assert (follow.code, search.code) == (1, 1)
    for ran, name in ((follow, "watch"), (search, "search")):
        assert ran.err == f"agentkeep: this database does not offer '{name}': `agentkeep doctor` shows what it offers\n"
