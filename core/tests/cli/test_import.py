"""`agentkeep import`: what it reads, and that importing again adds only what is new (IDEM-1)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import REPOSITORY, Run, assistant, user

Write = Callable[..., Path]
CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"n": 1}'}}
NO_MESSAGES: list[Any] = []
WITH_TOOL: list[dict[str, Any]] = [
    user("What is it?"),
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "name": "look_up", "content": "42"},
    assistant("42."),
]


def messages(run: Run, id: str) -> list[dict[str, Any]]:
    return run("show", id, "--json").lines()


def results(run: Run, *paths: Path) -> list[tuple[str, str, int]]:
    lines = run("import", "--json", *map(str, paths)).lines()
    return sorted((line["session"], line["result"], line.get("added", 0)) for line in lines)


def test_fields_hold_what_a_chat_message_says(run: Run, conversations: Write) -> None:
    assert run("import", str(conversations(WITH_TOOL))).code == 0
    found = messages(run, "talks-1")
    assert [message["seq"] for message in found] == [1, 2, 3, 4]
    assert found[1]["tool_calls"] == [CALL]
    assert (found[2]["tool_call_id"], found[2]["name"], found[2]["content"]) == ("c1", "look_up", "42")
    assert all(message["event"] is None for message in found)


@pytest.mark.parametrize(
    "item",
    [
        {"role": "assistant"},
        {"role": "assistant", "content": "x", "refusal": None},
        {"role": "user", "content": "x", "name": None},
        {"role": "user", "content": {"type": "text"}},
        {"role": "user", "content": 3},
        {"role": "tool", "content": "x", "tool_call_id": 7},
        {"role": "assistant", "content": "", "tool_calls": None},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
    ],
)
def test_an_item_that_the_fields_cannot_say_is_kept_whole(run: Run, conversations: Write, item: Any) -> None:
    run("import", str(conversations({"id": "s", "messages": [item]})))
    assert messages(run, "s")[0]["event"]["item"].keys() == item.keys()
    assert run("export", "--format", "chat").lines() == [{"id": "s", "messages": [item]}]


DOCUMENTS: list[tuple[str, Any, list[str]]] = [
    ("one.json", WITH_TOOL, ["one-1"]),
    ("two.json", [WITH_TOOL, [user("b")]], ["two-1", "two-2"]),
    ("object.json", {"messages": WITH_TOOL}, ["object-1"]),
    ("ids.json", [{"id": "a", "messages": []}, {"session_id": "b", "messages": []}], ["a", "b"]),
    ("number.json", {"id": 42, "messages": []}, ["42"]),
    ("tau.json", [{"task_id": 3, "trial": 1, "reward": 0.0, "traj": WITH_TOOL}], ["tau-3-1"]),
    ("none.json", [], []),
]


@pytest.mark.parametrize(("name", "document", "ids"), DOCUMENTS)
def test_documents(run: Run, own_folder: Path, name: str, document: Any, ids: list[str]) -> None:
    path = own_folder / name
    for text in (json.dumps(document), json.dumps(document, indent=2)):
        path.write_text(text)
        run("import", str(path))
        assert sorted(session["id"] for session in run("sessions", "--json").lines()) == sorted(ids)


def test_other_keys_are_metadata_and_come_back(run: Run, conversations: Write) -> None:
    plain = {"id": "p", "user_id": "u", "title": "T", "metadata": {"a": 1}, "messages": [user("x")]}
    odd = {"id": "o", "user_id": None, "tags": ["t"], "metadata": {"a": 1}, "messages": [user("x")]}
    both = {"id": "b", "session_id": "other", "messages": NO_MESSAGES}
    renamed: dict[str, Any] = {"session_id": "r", "messages": [], "metadata": {}}
    trajectory = {"task_id": 0, "trial": 2, "reward": 1.0, "info": {"x": [None]}, "traj": [user("x")]}
    run("import", str(conversations(plain, odd, both, renamed, trajectory)))
    sessions = {session["id"]: session for session in run("sessions", "--json").lines()}
    assert (sessions["p"]["user_id"], sessions["p"]["title"], sessions["p"]["metadata"]) == ("u", "T", {"a": 1})
    assert sessions["o"]["metadata"]["tags"] == ["t"]
    assert sessions["talks-0-2"]["metadata"] == {"task_id": 0, "trial": 2, "reward": 1.0, "info": {"x": [None]}}
    back = run("export", "--format", "chat", "p", "o", "b", "r", "talks-0-2").lines()
    assert back == [plain, odd, both, renamed, trajectory]


def test_importing_twice_adds_nothing(run: Run, conversations: Write) -> None:
    path = conversations(WITH_TOOL, {"id": "x", "messages": [user("1")]})
    assert results(run, path) == [("talks-1", "created", 4), ("x", "created", 1)]
    before = run("export").out
    assert results(run, path) == [("talks-1", "unchanged", 0), ("x", "unchanged", 0)]
    assert run("export").out == before


def test_a_file_that_has_grown_adds_what_is_new(run: Run, conversations: Write) -> None:
    results(run, conversations({"id": "s", "messages": WITH_TOOL[:2], "metadata": {"turns": 1}}))
    path = conversations({"id": "s", "messages": WITH_TOOL, "metadata": {"turns": 2}}, {"id": "new", "messages": []})
    assert results(run, path) == [("new", "created", 0), ("s", "grown", 2)]
    assert [message["content"] for message in messages(run, "s")] == ["What is it?", None, "42", "42."]
    assert run("export", "--format", "chat", "s").lines()[0]["metadata"] == {"turns": 2}
    assert results(run, path) == [("new", "unchanged", 0), ("s", "unchanged", 0)]


def test_a_session_that_went_on_since_is_left_as_it_is(run: Run, conversations: Write) -> None:
    path = conversations({"id": "s", "messages": WITH_TOOL})
    run("import", str(path))
    run("append", "s", "--role", "user", "--content", "And now?")
    assert results(run, path) == [("s", "unchanged", 0)]
    assert len(messages(run, "s")) == 5


def test_a_stored_conversation_that_differs_is_refused_and_the_others_go_on(run: Run, conversations: Write) -> None:
    run("import", str(conversations({"id": "s", "messages": [user("a"), user("b")]})))
    changed = {"id": "s", "messages": [user("a"), user("B"), user("c")]}
    ran = run("import", str(conversations(changed, {"id": "t", "messages": [user("x")]})))
    assert ran.code == 1
    assert "'s'" in ran.err
    assert "message 2 differs in content" in ran.err
    assert "line 1" in ran.err
    assert [message["content"] for message in messages(run, "s")] == ["a", "b"]
    assert len(messages(run, "t")) == 1


def test_numbers_that_python_calls_equal_differ(run: Run, conversations: Write) -> None:
    run("import", str(conversations({"id": "s", "messages": [user([1])]})))
    ran = run("import", "--json", str(conversations({"id": "s", "messages": [user([1.0])]})))
    assert ran.code == 1
    assert ran.lines()[0]["result"] == "refused"


def test_more_than_one_batch(run: Run, conversations: Write) -> None:
    many = [user(str(number)) for number in range(2_500)]
    run("import", str(conversations(many[:1_700])))
    assert results(run, conversations(many)) == [("talks-1", "grown", 800)]
    assert [message["content"] for message in messages(run, "talks-1")] == [str(number) for number in range(2_500)]


def test_several_files_at_once(run: Run, conversations: Write) -> None:
    first, second = conversations([user("a")], name="a.jsonl"), conversations([user("b")], name="b.jsonl")
    assert results(run, first, second) == [("a-1", "created", 1), ("b-1", "created", 1)]


def test_byte_order_mark_and_blank_lines(run: Run, own_folder: Path) -> None:
    path = own_folder / "bom.jsonl"
    path.write_bytes(b'\xef\xbb\xbf[{"role":"user","content":"a"}]\n\n   \n{"messages":[]}')
    assert results(run, path) == [("bom-1", "created", 1), ("bom-2", "created", 0)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_read_if_its_conversations_have_ids(script: Run) -> None:
    named = '{"id":"a","messages":[]}\n{"id":"b","messages":[]}'
    assert script("import", "/dev/stdin", text=named).out == "2 sessions (2 created), 0 new messages\n"
    unnamed = script("import", "/dev/stdin", text='[{"role":"user","content":"x"}]')
    assert unnamed.code == 2
    assert "has no id" in unnamed.err


def test_the_samples_come_back_equal(run: Run) -> None:
    path = REPOSITORY / "examples" / "transcripts.jsonl"
    assert run("import", str(path)).code == 0
    samples = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    expected = {sample.setdefault("id", "transcripts-6"): sample for sample in samples}
    assert {line["id"]: line for line in run("export", "--format", "chat").lines()} == expected
