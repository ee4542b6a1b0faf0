"""Strands' own tests of a repository's session manager, on Agentkeep's repository."""

from __future__ import annotations

from pathlib import Path

from upstream import run_upstream

BRIDGE = Path(__file__).parents[1]


def test_strands_own_51_tests(url: str) -> None:
    assert run_upstream(BRIDGE, url, ["tests/strands/session/test_repository_session_manager.py"]) == 51
