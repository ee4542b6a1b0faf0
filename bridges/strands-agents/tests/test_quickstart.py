"""The README's program runs on SQLite with a scripted model; what it stored makes sense to Agentkeep's own verbs."""

from __future__ import annotations

from pathlib import Path

import pytest
from agentkeep import sync
from quickstart import program
from script import Script


def test_the_program_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    main = program(Path(__file__).parents[1])["main"]
    for _ in range(2):
        main(Script([{"text": "14A is a window seat."}]))
    assert "14A is a window seat." in capsys.readouterr().out
    with sync.connect("sqlite:///chat.db") as keep:
        [agent] = keep.sessions.list(agent_name="strands/agent", parent_id="trip-42").items
        assert [message.role for message in keep.messages.tail(agent.id, 9)] == ["user", "assistant"] * 2
        assert {hit.message.seq for hit in keep.messages.search("window 14A")} == {2, 4}
