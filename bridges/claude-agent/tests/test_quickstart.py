"""The README's program runs on SQLite with a scripted model; what it stored makes sense to Agentkeep's own verbs."""

from __future__ import annotations

from pathlib import Path

import pytest
from agentkeep import connect
from quickstart import program
from script import Script


@pytest.mark.anyio
async def test_the_program_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The CLI's part is scripted: it sends the frames by which the SDK mirrors a transcript."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    await program(Path(__file__).parents[1])["main"](Script(tmp_path / "claude", "14A is a window seat."))
    assert "14A is a window seat." in capsys.readouterr().out
    async with connect("sqlite:///chat.db") as keep:
        [session] = (await keep.sessions.list(agent_name="claude-agent")).items
        assert [message.role for message in await keep.messages.tail(session.id, 9)] == ["user", "assistant"]
        assert session.counters == {"input_tokens": 7, "output_tokens": 5}
        assert [hit.message.seq for hit in await keep.messages.search("window 14A")] == [2]
