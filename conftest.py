"""What the tests of several packages share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).parents[1] / "shared" / "data" / "airline-transcripts.json"


@pytest.fixture
def transcripts() -> Path:
    """The 200 trajectories, which are no part of the repository: skips without them, unless they are required."""
    path = Path(os.environ.get("AGENTKEEP_TRANSCRIPTS", _BESIDE))
    if not path.is_file():
        if os.environ.get("AGENTKEEP_REQUIRE_TRANSCRIPTS") == "1":
            pytest.fail(f"AGENTKEEP_REQUIRE_TRANSCRIPTS=1, and there is no {path.name}: set AGENTKEEP_TRANSCRIPTS")
        pytest.skip("the airline transcripts are not here: AGENTKEEP_TRANSCRIPTS names their file")
    return path
