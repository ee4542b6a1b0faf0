"""The example of two frameworks in one database runs, and prints one talk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BRIDGES = Path(__file__).parents[2]


def test_a_talk_goes_from_adk_to_pydantic_ai(tmp_path: Path) -> None:
    example = BRIDGES / "pydantic-ai/examples/adk_then_pydantic_ai.py"
    done = subprocess.run(
        [sys.executable, example, f"sqlite:///{tmp_path / 'chat.db'}"],
        env={"PYTHONPATH": str(BRIDGES / "google-adk/src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    assert done.stdout.splitlines() == [
        "user: A window seat to Oslo, please",
        "assistant: 14A is free. Shall I book it?",
        "user: Yes, please",
        "assistant: Booked.",
    ]
