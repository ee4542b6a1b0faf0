"""The README's program runs on SQLite with a scripted model; what it stored makes sense to Agentkeep's own verbs."""

from __future__ import annotations

from pathlib import Path

import pytest
from agentkeep import connect
from google.genai import types
from quickstart import program
from script import Script


@pytest.mark.anyio
async def test_the_program_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = types.Content(role="model", parts=[types.Part(text="14A is a window seat.")])
    await program(Path(__file__).parents[1])["main"](Script(answers=[answer]))
    assert capsys.readouterr().out == "travel 14A is a window seat.\n"
    async with connect("sqlite:///chat.db") as keep:
        [session] = (await keep.sessions.list(agent_name="google-adk", user_id="ann")).items
        assert [message.role for message in await keep.messages.tail(session.id, 9)] == ["user", "assistant"]
        assert [hit.message.seq for hit in await keep.messages.search("window 14A")] == [2]
