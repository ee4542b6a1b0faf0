"""Import and export as a library, without the command line."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from agentkeep import InvalidInput, NewMessage, View, connect, transfer

pytestmark = pytest.mark.anyio


async def furnish(view: View) -> None:
    session = await view.sessions.create(
        "s1",
        user_id="ann",
        title="Hi",
        state={"n": 1},
        metadata={"plan": "gold"},
        ttl=3600,
        idle_ttl=timedelta(hours=2),
    )
    await view.messages.append(
        session.id, [NewMessage(role="user", content=str(n), id=f"m{n}") for n in range(3)], add={"tokens": 12}
    )
    await view.messages.trim("s1", keep_last=2)
    await view.sessions.create("s2", user_id="bob")


async def exported(view: View, ids: list[str] | None = None) -> bytes:
    return b"".join([line async for line in transfer.export_lines(view, ids or [])])


def opened(tmp_path: Path, content: bytes, name: str = "backup.jsonl") -> transfer.ExportFile | transfer.ChatFile:
    file = tmp_path / name
    file.write_bytes(content)
    return transfer.open_file(file)


async def test_what_was_exported_comes_back_whole_under_a_new_version(tmp_path: Path) -> None:
    async with connect("memory://") as old, connect("memory://") as new:
        await furnish(old)
        content = await exported(old)
        lines = [json.loads(line) for line in content.splitlines()]
        assert lines[0] == {"format": "agentkeep-export", "version": 1, "tenant": "default"}
        assert [next(iter(line)) for line in lines[1:]] == ["session", "message", "message", "session", "end"]
        assert "version" not in lines[1]["session"]
        file = opened(tmp_path, content.replace(b"\n", b"\n \n"))  # an empty line says nothing
        file.check(new.capabilities)
        outcomes: list[transfer.Outcome] = []
        await transfer.import_files(new, [file], outcomes.append)
        assert sorted((outcome.session, outcome.result, outcome.added) for outcome in outcomes) == [
            ("s1", "created", 2),
            ("s2", "created", 0),
        ]
        for id in ("s1", "s2"):
            before, after = await old.sessions.get(id), await new.sessions.get(id)
            assert before.to_dict() | {"version": 0} == after.to_dict() | {"version": 0}
            assert before.version != after.version
            assert await old.messages.tail(id, 9) == await new.messages.tail(id, 9)
        assert (await new.sessions.get("s1")).counters == {"tokens": 12}
        await transfer.import_files(new, [file], outcomes.append)
        assert [outcome.result for outcome in outcomes[2:]] == ["unchanged", "unchanged"]


async def test_iso_1_a_users_view_exports_and_restores_its_own_alone(tmp_path: Path) -> None:
    async with connect("memory://") as old, connect("memory://") as new:
        await furnish(old)
        assert b'"bob"' not in await exported(old.for_user("ann"))
        outcomes: list[transfer.Outcome] = []
        file = opened(tmp_path, await exported(old))
        file.check(new.capabilities)
        await transfer.import_files(new.for_user("ann"), [file], outcomes.append)
        assert {outcome.session: outcome.result for outcome in outcomes} == {"s1": "created", "s2": "refused"}
        assert await new.sessions.count() == 1
        with pytest.raises(InvalidInput):
            await transfer.restore(new.for_user("ann"), await old.sessions.get("s2"), [])


async def test_conversations_of_other_tools(tmp_path: Path) -> None:
    talk = {"id": "c1", "title": "T", "messages": [{"role": "user", "content": "Hi"}]}
    file = opened(tmp_path, json.dumps(talk).encode(), "chat.json")
    async with connect("memory://") as keep:
        file.check(keep.capabilities)
        await transfer.import_files(keep, [file], lambda _: None)
        assert [json.loads(line) async for line in transfer.export_chats(keep)] == [talk]


async def test_a_field_that_differs_is_taken_from_a_file_that_has_grown_alone(tmp_path: Path) -> None:
    said: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    async with connect("memory://") as keep:

        async def imported(title: str, messages: int) -> tuple[str, str | None]:
            talk = {"id": "c1", "title": title, "messages": said[:messages]}
            file = opened(tmp_path, json.dumps(talk).encode(), "chat.json")
            file.check(keep.capabilities)
            outcomes: list[transfer.Outcome] = []
            await transfer.import_files(keep, [file], outcomes.append)
            return outcomes[0].result, (await keep.sessions.get("c1")).title

        assert await imported("first", 1) == ("created", "first")
        assert await imported("other", 1) == ("refused", "first")
        assert await imported("second", 2) == ("grown", "second")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "not valid JSON"),
        (b'{"messages": [{"content": "x"}]}', "a dict with a role"),
        (b'{"a": 1}', "no list of messages"),
    ],
)
def test_a_wrong_file_is_invalid_input_that_says_where(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=rf"chat\.json: .*{reason}"):
        opened(tmp_path, content, "chat.json").check(connect("memory://").capabilities)


def test_an_export_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    header = b'{"format":"agentkeep-export","version":1,"tenant":"default"}\n'
    with pytest.raises(InvalidInput, match="incomplete"):
        opened(tmp_path, header).check(connect("memory://").capabilities)
