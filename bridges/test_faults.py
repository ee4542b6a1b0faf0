"""Killed writers, writers at once, and a database that goes away: nothing acknowledged is lost or doubled."""

from __future__ import annotations

from pathlib import Path

from databases import Database
from faults import interrupted, killed, racing


def test_killed_writers_lose_and_double_nothing(stores: Path, database: Database) -> None:
    found = killed(stores, "agentkeep", database.url)
    assert found.clean, found


def test_writers_at_once_lose_and_double_nothing(stores: Path, database: Database) -> None:
    found = racing(stores, "agentkeep", database.url)
    assert found.clean, found


def test_a_database_that_was_away_costs_nothing_acknowledged(stores: Path, server_database: Database) -> None:
    """A write during that time may fail; one that was acknowledged is there, once, and in order."""
    found = interrupted(stores, server_database.url, server_database.kill, server_database.restart)
    assert (found.lost, found.doubled, found.out_of_order) == (0, 0, 0), found
