"""`append`, `fork`, `rm`, `prune`: what they change, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from agentkeep import sync
from agentkeep.retention import BELONGS_TO

from .conftest import Run, assistant, user

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def one_session(run: Run, conversations: Write) -> None:
    run("import", str(conversations({"id": "s", "messages": [user("a"), assistant("b")]})))


def contents(run: Run, id: str) -> list[str]:
    return [line["content"] for line in run("show", id, "--json").lines()]


def test_append_by_options(run: Run) -> None:
    ran = run("append", "s", "--role", "user", "--content", "c", "--json")
    assert (ran.code, ran.lines()[0]["seq"]) == (0, 3)
    assert run("append", "s", "--role", "user", "--content", "").out.startswith("#4 ")
    assert contents(run, "s") == ["a", "b", "c", ""]


def test_append_from_standard_input(run: Run) -> None:
    assert run("append", "s", "-", text=json.dumps(user("c"))).code == 0
    items = [{**assistant("d"), "refusal": None}, user("e")]
    assert [line["seq"] for line in run("append", "s", "-", "--json", text=json.dumps(items)).lines()] == [4, 5]
    assert contents(run, "s") == ["a", "b", "c", "d", "e"]
    assert run("export", "--format", "chat").lines()[0]["messages"][3] == items[0]


def test_append_is_resumed_by_another_process(script: Run) -> None:
    assert script("append", "s", "--role", "user", "--content", "c").code == 0
    assert script("show", "s", "--tail", "1", "--json").lines()[0]["content"] == "c"


def test_append_creates_nothing_unasked(run: Run) -> None:
    ran = run("append", "new", "--role", "user", "--content", "x")
    assert (ran.code, "'new'" in ran.err) == (1, True)
    assert run("show", "new").code == 1
    assert run("append", "new", "--role", "", "--content", "x", "--create").code == 2
    assert run("show", "new").code == 1
    assert run("append", "new", "--role", "user", "--content", "x", "--create").code == 0
    assert run("append", "new", "--role", "user", "--content", "y", "--create").code == 0
    assert contents(run, "new") == ["x", "y"]


@pytest.mark.parametrize(
    ("arguments", "text", "why"),
    [
        ((), None, "--role ROLE --content TEXT"),
        (("--role", "user"), None, "--role ROLE --content TEXT"),
        (("-", "--role", "user"), "{}", "--role ROLE --content TEXT"),
        (("-",), "", "line 1, column 1"),
        (("-",), "{", "line 1, column 2"),
        (("-",), "3", "is of type int"),
        (("-",), '[{"role": "user", "content": "x"}, {}]', "a dict with a role"),
        (("--role", "", "--content", "x"), None, "role is empty"),
    ],
)
def test_append_refuses_what_is_no_message(run: Run, arguments: tuple[str, ...], text: str | None, why: str) -> None:
    ran = run("append", "s", *arguments, text=text)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert why in ran.err
    assert contents(run, "s") == ["a", "b"]


def test_fork(run: Run) -> None:
    assert run("fork", "s", "--at", "1", "--id", "t").out == "t\n"
    assert contents(run, "t") == ["a"]
    assert run("fork", "s", "--id", "t").code == 1
    assert run("fork", "s", "--at", "9").code == 2
    assert run("fork", "nobody").code == 1
    copy = run("fork", "s", "--json").lines()[0]
    assert (copy["parent_id"], copy["message_count"]) == ("s", 2)


def test_rm(run: Run) -> None:
    run("fork", "s", "--id", "t")
    ran = run("rm", "t", "nobody", "s", "t", "--yes")
    assert ran == (1, "2 sessions removed\n", "agentkeep: no session 'nobody' in sqlite:///chat.db, tenant 'default'\n")
    assert run("sessions", "--json").out == ""
    assert run("rm", "s", "--json", "--yes").lines() == [{"session": "s", "removed": False, "sessions": 0}]


def test_rm_takes_along_what_belongs_to_a_session(run: Run) -> None:
    with sync.connect("sqlite:///chat.db") as keep:
        for id in ("s/agent/a", "s/agent/b"):
            keep.sessions.create(id, metadata={BELONGS_TO: "s"})
    assert run("rm", "s", "--json", "--yes").lines() == [{"session": "s", "removed": True, "sessions": 3}]
    assert run("sessions", "--json").out == ""


def test_prune(run: Run) -> None:
    assert run("prune", "--max-idle", "30d", "--yes").out == "0 sessions removed\n"
    dry = run("prune", "--max-idle", "0s", "--dry-run", "--json").lines()[0]
    assert (dry["sessions"], dry["removed"]) == (1, False)
    assert contents(run, "s") == ["a", "b"]
    assert run("prune", "--max-idle", "0s", "--yes").out == "1 session removed\n"
    assert run("show", "s").code == 1


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1.5d", "30 d", "30y", "", "9999999999999d"])
def test_prune_reads_ages_strictly(run: Run, age: str) -> None:
    ran = run("prune", "--max-idle", age, "--yes")
    assert (ran.code, "--max-idle" in ran.err) == (2, True)
    assert contents(run, "s") == ["a", "b"]


@pytest.mark.parametrize("age", ["45m", "12h", "9999999999w"])
def test_prune_keeps_what_is_younger(run: Run, age: str) -> None:
    assert run("prune", "--max-idle", age, "--yes").code == 0
    assert contents(run, "s") == ["a", "b"]
