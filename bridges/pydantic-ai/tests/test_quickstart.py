"""The README's program runs on SQLite with a scripted model; what it stored makes sense to Agentkeep's own verbs."""

from __future__ import annotations

from pathlib import Path

import pytest
from agentkeep import connect
from pydantic_ai.models.test import TestModel
from quickstart import program


@pytest.mark.anyio
async def test_the_program_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    main = program(Path(__file__).parents[1])["main"]
    for _ in range(2):
        await main(TestModel(custom_output_text="14A is a window seat."))
    assert capsys.readouterr().out == "14A is a window seat.\n" * 2
    async with connect("sqlite:///chat.db") as keep:
        session, messages = await keep.sessions.resume("trip-42")
        assert [message.role for message in messages] == ["user", "assistant"] * 2
        assert session.counters["output_tokens"] > 0
        assert {hit.message.seq for hit in await keep.messages.search("window 14A")} == {2, 4}
