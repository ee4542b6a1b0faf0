"""The README's program runs on SQLite with a scripted model; what it stored makes sense to Agentkeep's own verbs."""

from __future__ import annotations

from pathlib import Path

import pytest
from agentkeep import connect
from agents import set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message
from quickstart import program

set_tracing_disabled(True)


@pytest.mark.anyio
async def test_the_program_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    await program(Path(__file__).parents[1])["main"](ScriptedModel([[assistant_message("14A is a window seat.")]]))
    assert capsys.readouterr().out == "14A is a window seat.\n"
    async with connect("sqlite:///chat.db") as keep:
        session, messages = await keep.sessions.resume("trip-42")
        assert [message.role for message in messages] == ["user", "assistant"]
        assert session.counters["requests"] == 1
        assert [hit.message.seq for hit in await keep.messages.search("window 14A")] == [2]
