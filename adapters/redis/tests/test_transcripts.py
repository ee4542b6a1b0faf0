"""The 200 real trajectories by the command line: into Redis and back, equal to the input (FID-1, ORD-1)."""

from __future__ import annotations

from pathlib import Path

from agentkeep_conformance.transcripts import check_in_and_out


def test_through_one_server(dsn: str, prefix: str, transcripts: Path) -> None:
    check_in_and_out(f"{dsn}?prefix={prefix}", transcripts)


def test_through_a_cluster(cluster_dsn: str, prefix: str, some_transcripts: Path) -> None:
    """It differs in where the keys are, and not in what they hold."""
    check_in_and_out(f"{cluster_dsn}?prefix={prefix}", some_transcripts)
