"""The SDK's own session tests on Agentkeep's session. `upstream/not_ours.txt` lists those left out, with reasons."""

from __future__ import annotations

from pathlib import Path

from upstream import names_in, run_upstream

BRIDGE = Path(__file__).parents[1]
SESSION = ["session", "session_limit", "session_persistence_sanitize", "session_context_wrapper"]


def test_95_of_the_sdks_113_session_tests(url: str) -> None:
    """The other 18 look into SQLite's file, connections and locks."""
    left_out = names_in(BRIDGE / "upstream/not_ours.txt")
    assert len(left_out) == 16  # one of them is three tests
    assert run_upstream(BRIDGE, url, [f"tests/memory/test_{name}.py" for name in SESSION], left_out) == 95


def test_the_sdks_162_tests_of_deferred_writes_and_approvals() -> None:
    """One database: what differs between databases is asked above and by the conformance suite."""
    tests = ["tests/deferred_session_writes", "tests/test_hitl_session_scenario.py"]
    assert run_upstream(BRIDGE, "memory://", tests) == 162
