"""Files that can't be imported: one sentence that names the place, exit code 2, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run

GOOD = '{"messages": [{"role": "user", "content": "x"}]}'


@pytest.mark.parametrize(
    ("name", "text", "place", "why"),
    [
        ("a.json", '[{"role": "user", "content": "a"},\n {"role": "user" "content": 1}]', "line 2, column 1", "','"),
        ("a.json", '{"messages": [', "line 1, column 15", "Expecting value"),
        ("a.json", "", "line 1, column 1", "Expecting value"),
        ("a.json", '{"messages": [{"role": "user", "content": 1e999}]}', "line 1, column 43", "1e999"),
        ("a.json", '{"messages":\n  NaN}', "line 2, column 3", "NaN"),
        ("a.json", '{"NaN \\"NaN": "NaN",\n"x": NaN}', "line 2, column 6", "NaN"),
        ("a.json", "[" * 200_000, "line 1", "nested too deeply"),
        ("a.json", "3", "a.json", "not a conversation"),
        ("a.json", "[1]", "conversation 1", "not a conversation"),
        ("a.json", '[[{"content": "x"}]]', "conversation 1: message 1", "a dict with a role"),
        ("a.json", '[[{"role": "user\\n", "content": "x"}]]', "conversation 1: message 1", "control character"),
        ("a.json", '{"id": "a\\u0000", "messages": []}', "conversation 1", "control character"),
        ("a.json", '{"id": [], "messages": []}', "conversation 1", "id"),
        ("a.json", '{"id": "a", "b": 1, "metadata": {"b": 2}, "messages": []}', "conversation 1", "'b'"),
        ("a.jsonl", f"{GOOD}\n{{]\n{GOOD}", "line 2, column 2", "Expecting property name"),
        ("a.jsonl", f'{GOOD}\n{{"id": "x \\ud800 y", "messages": []}}', "line 2, column 11", "surrogate"),
        ("a.jsonl", f'{GOOD}\n{{"id": 1}}', "line 2", "no list of messages"),
        ("a.jsonl", '{"id": "a", "messages": []}\n{"id": "a", "messages": []}', "line 2", "and so has line 1"),
        ("a.jsonl", '{"id": "a", "messages": []}\n"text"', "line 2", "not a conversation"),
    ],
)
def test_bad_input_names_its_place_and_writes_nothing(
    run: Run, own_folder: Path, name: str, text: str, place: str, why: str
) -> None:
    (own_folder / name).write_text(text)
    good = own_folder / "good.jsonl"
    good.write_text(GOOD)
    ran = run("import", str(good), name)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.count("\n") == 1
    assert name in ran.err
    assert place in ran.err
    assert why in ran.err
    assert not (own_folder / "chat.db").exists()


def test_text_that_is_not_utf8(run: Run, own_folder: Path) -> None:
    (own_folder / "a.jsonl").write_bytes(GOOD.encode() + b'\n{"messages": [{"role": "user", "content": "\xff"}]}')
    ran = run("import", "a.jsonl")
    assert (ran.code, "line 2, column 44: not valid JSON: this is not UTF-8" in ran.err) == (2, True)


def test_a_message_over_the_limit_is_refused_before_anything_is_written(run: Run, own_folder: Path) -> None:
    huge = {"messages": [{"role": "user", "content": "x" * 17_000_000}]}
    (own_folder / "a.jsonl").write_text(f"{GOOD}\n{json.dumps(huge)}")
    ran = run("import", "a.jsonl")
    assert ran.code == 2
    assert "line 2: message 1" in ran.err
    assert "limit" in ran.err
    assert not (own_folder / "chat.db").exists()


def test_absent_file_and_directory(run: Run, own_folder: Path) -> None:
    absent = run("import", "nowhere.json")
    assert (absent.code, absent.err) == (2, "agentkeep: nowhere.json: there is no such file\n")
    folder = run("import", str(own_folder))
    assert (folder.code, "directory" in folder.err) == (2, True)
    assert not (own_folder / "chat.db").exists()


def test_unreadable_file(run: Run, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    (own_folder / "a.json").write_text(GOOD)
    monkeypatch.setattr(Path, "open", refuse)
    ran = run("import", "a.json")
    assert (ran.code, ran.err) == (2, "agentkeep: a.json: it can't be read: Permission denied\n")
