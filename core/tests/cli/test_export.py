"""`agentkeep export`: an import of it gives an equal database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from agentkeep import Keep, NewMessage, connect
from agentkeep.bridging import item_message

from .conftest import Run, user, without_versions

Write = Callable[..., Path]


def with_keep(work: Callable[[Keep], Coroutine[Any, Any, None]], url: str = "sqlite:///chat.db") -> None:
    async def whole() -> None:
        async with connect(url) as keep:
            await work(keep)

    asyncio.run(whole())


async def fill(keep: Keep) -> None:
    """Sessions with everything that a plain import would not have: gaps, versions, times, forks, an end."""
    sessions, messages = keep.sessions, keep.messages
    long_ago = datetime(2020, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    await sessions.create("a", user_id="u", agent_name="g", title="T", state={"x": 1.0}, metadata={"k": None})
    await messages.append("a", [NewMessage(role="user", content=str(n), created_at=long_ago) for n in range(8)])
    await messages.truncate("a", after_seq=6)
    await messages.append("a", [NewMessage(role="assistant", event={"any": [1, 1.0, -0.0, 10**30]}, turn_id="t")])
    await messages.trim("a", keep_last=3)
    await sessions.update("a", status="completed", current_route="r", current_step="s", schema_version=3)
    await sessions.fork("a", at_seq=6, new_id="copy")
    await sessions.create("empty", ttl=timedelta(days=3))
    await messages.append("empty", [NewMessage(role="user", content="gone")])
    await messages.clear("empty")
    await sessions.create("long")
    for start in range(0, 1_200, 600):
        await messages.append("long", [NewMessage(role="user", content=str(start + n)) for n in range(600)])


def test_import_of_an_export_gives_an_equal_database(run: Run, own_folder: Path) -> None:
    with_keep(fill)
    exported = run("export").out
    (own_folder / "all.jsonl").write_text(exported, encoding="utf-8")
    ran = run("--url", "sqlite:///other.db", "import", "all.jsonl")
    assert ran.out == "4 sessions (4 created), 1,205 new messages\n"
    assert without_versions(run("--url", "sqlite:///other.db", "export").out) == without_versions(exported)
    seqs = [line["seq"] for line in run("--url", "sqlite:///other.db", "show", "a", "--json").lines()]
    assert seqs == [5, 6, 9]
    assert run("--url", "sqlite:///other.db", "import", "all.jsonl").out == "4 sessions (4 unchanged), 0 new messages\n"
    assert without_versions(run("--url", "sqlite:///other.db", "export").out) == without_versions(exported)


def test_the_next_seq_is_never_one_given_before(run: Run, own_folder: Path) -> None:
    with_keep(fill)
    (own_folder / "all.jsonl").write_text(run("export", "empty").out)
    run("--url", "sqlite:///other.db", "import", "all.jsonl")
    ran = run("--url", "sqlite:///other.db", "append", "empty", "--role", "user", "--content", "x", "--json")
    assert ran.lines()[0]["seq"] == 2


def test_a_newer_export_brings_an_older_database_up_to_date(run: Run, own_folder: Path) -> None:
    with_keep(fill)
    (own_folder / "old.jsonl").write_text(run("export", "long").out)
    run("append", "long", "--role", "user", "--content", "new")

    async def rename(keep: Keep) -> None:
        await keep.sessions.update("long", title="Longer")

    with_keep(rename)
    (own_folder / "new.jsonl").write_text(run("export", "long").out)
    other = ("--url", "sqlite:///other.db")
    run(*other, "import", "old.jsonl")
    assert run(*other, "import", "new.jsonl").out == "1 session (1 grown), 1 new message\n"
    assert run(*other, "import", "old.jsonl", "new.jsonl").out == "2 sessions (2 unchanged), 0 new messages\n"
    session = run(*other, "sessions", "--json").lines()[0]
    assert (session["title"], session["message_count"]) == ("Longer", 1_201)


def test_a_session_of_the_same_version_and_other_fields_is_refused(run: Run, own_folder: Path) -> None:
    with_keep(fill)
    exported = run("export", "a").out
    (own_folder / "a.jsonl").write_text(exported.replace('"title":"T"', '"title":"Other"'))
    ran = run("import", "a.jsonl")
    assert ran.code == 1
    assert "title" in ran.err
    assert run("export", "a").out == exported


def test_what_expired_since_stays_away(run: Run, own_folder: Path) -> None:
    with_keep(fill)
    lines = [json.loads(line) for line in run("export", "empty").out.splitlines()]
    lines[1]["session"]["expires_at"] = "2020-01-01T00:00:00Z"
    (own_folder / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert run("rm", "empty", "--yes").code == 0
    assert run("import", "a.jsonl").out == "1 session (1 expired), 0 new messages\n"
    assert run("show", "empty").code == 1


def test_named_sessions_alone_and_none_where_one_is_absent(run: Run) -> None:
    with_keep(fill)
    assert [line["id"] for line in run("export", "--format", "chat", "copy", "a").lines()] == ["copy", "a"]
    ran = run("export", "a", "nobody")
    assert ran.code == 1
    assert "'nobody'" in ran.err
    assert not any("session" in line for line in ran.lines())


Lines = list[str]
DAMAGES: list[tuple[Callable[[Lines], Lines], str]] = [
    (lambda lines: lines[:-1], "incomplete"),
    (lambda lines: [*lines[:2], *lines[3:]], "written with 1 sessions and 3 messages"),
    (lambda lines: [lines[0], *lines[2:]], "line 2"),
    (lambda lines: [*lines[:3], lines[2], *lines[3:]], "line 4: seq 5 is out of order"),
    (lambda lines: [lines[0].replace('"version":1', '"version":9'), *lines[1:]], "upgrade Agentkeep"),
    (lambda lines: [lines[0], lines[1].replace('"completed"', '"odd"'), *lines[2:]], "line 2"),
    (lambda lines: [lines[0], lines[1].replace('Z","updated_at"', '","updated_at"'), *lines[2:]], "naive"),
    (lambda lines: [*lines, lines[1]], "after the last one"),
    (lambda lines: [*lines[:-1], '{"other":1}', lines[-1]], "give one of session, message and end"),
]


@pytest.mark.parametrize(("change", "why"), DAMAGES)
def test_an_export_that_was_damaged_is_refused_whole(
    run: Run, own_folder: Path, change: Callable[[Lines], Lines], why: str
) -> None:
    with_keep(fill)
    lines = run("export", "a").out.splitlines()
    (own_folder / "a.jsonl").write_text("\n".join(change(lines)))
    ran = run("--url", "sqlite:///other.db", "import", "a.jsonl")
    assert ran.code == 2
    assert why in ran.err
    assert not (own_folder / "other.db").exists()


def test_redacted_text_does_not_come_back_through_the_kept_item(run: Run, conversations: Write) -> None:
    run("import", str(conversations({"id": "s", "messages": [{**user("secret"), "extra": 1}]})))

    async def redact(keep: Keep) -> None:
        await keep.messages.update("s", "1", content="[removed]")

    with_keep(redact)
    assert run("export", "--format", "chat").lines()[0]["messages"] == [{**user("[removed]"), "extra": 1}]


def test_a_frameworks_session_is_exported_as_the_chat_that_it_is(run: Run) -> None:
    events = [
        {"author": "user", "content": {"role": "user", "parts": [{"text": "Weather?"}]}},
        {"author": "a", "actions": {"stateDelta": {"x": 1}}},
        {"author": "a", "content": {"role": "model", "parts": [{"text": "Sunny."}]}},
    ]

    async def talk(keep: Keep) -> None:
        written = [item_message("google-adk", event, role="x") for event in events]
        await keep.messages.append("s", written, create={})
        await keep.messages.append("odd", [item_message("google-adk", {"content": "?"}, role="x")], create={})

    with_keep(talk)
    [chat] = run("export", "s", "--format", "chat").lines()
    assert [(said["role"], said["content"]) for said in chat["messages"]] == [
        ("user", "Weather?"),
        ("assistant", "Sunny."),
    ]
    ran = run("export", "odd", "--format", "chat")
    assert (ran.code, ran.out) == (2, "")
    assert "session 'odd'" in ran.err
