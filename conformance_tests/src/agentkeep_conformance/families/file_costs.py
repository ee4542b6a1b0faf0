"""What an embedded database reads and writes for a call, by the system's own account of this process."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from agentkeep import Keep

from agentkeep_conformance.clauses import needs_files, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.growth_verbs import Call
from agentkeep_conformance.samples import at_once, said

_ACCOUNT = Path("/proc/self/io")
_MESSAGES, _SESSIONS = (10, 2_000), (10, 300)
"""So many in a small database and in a large one, which has about a megabyte."""
_TURNS = 5
_SLACK = 256 * 1024
"""Bytes by which a large database may cost more: pages that a small one has in memory already."""
_TEXT = "x" * 400

READS: list[Call] = [
    lambda keep, turn: keep.messages.tail("long", 10),
    lambda keep, turn: keep.messages.list("long", after=3, limit=10),
    lambda keep, turn: keep.messages.get("long", "m7"),
    lambda keep, turn: keep.sessions.resume("long", tail=10),
    lambda keep, turn: keep.sessions.get("long"),
]
APPENDS: list[Call] = [
    lambda keep, turn: keep.messages.append("long", [said("x")]),
    lambda keep, turn: keep.messages.append("long", [said("x", id=f"new{turn}")], update={"title": "t"}),
]
LISTINGS: list[Call] = [
    lambda keep, turn: keep.sessions.list(limit=5),
    lambda keep, turn: keep.sessions.list(limit=5, order="created_at"),
    lambda keep, turn: keep.sessions.list(limit=5, user_id="u1"),
    lambda keep, turn: keep.sessions.list(limit=5, metadata={"team": "t1"}),
]


async def _long_log(keep: Keep, count: int) -> None:
    await keep.sessions.create("long")
    for start in range(0, count, 500):
        batch = [said(_TEXT, id=f"m{number}") for number in range(start, min(count, start + 500))]
        await keep.messages.append("long", batch)


async def _many_sessions(keep: Keep, count: int) -> None:
    fields: list[dict[str, Any]] = [
        {"user_id": f"u{n % 3}", "metadata": {"team": f"t{n % 3}"}, "state": {"text": _TEXT * 8}} for n in range(count)
    ]
    await at_once([keep.sessions.create(f"s{n}", **each) for n, each in enumerate(fields)])


class FileCosts:
    @proves("READ-3", "COST-4")
    @needs_files
    async def test_a_read_moves_no_more_bytes_of_a_long_log(self, database: Database) -> None:
        await _alike(database, READS, _long_log, _MESSAGES)

    @proves("COST-2", "COST-4")
    @needs_files
    async def test_an_append_moves_no_more_bytes_to_a_long_log(self, database: Database) -> None:
        await _alike(database, APPENDS, _long_log, _MESSAGES)

    @proves("READ-5", "COST-4")
    @needs_files
    async def test_a_listing_moves_no_more_bytes_among_many_sessions(self, database: Database) -> None:
        await _alike(database, LISTINGS, _many_sessions, _SESSIONS)


async def _alike(
    database: Database, calls: list[Call], fill: Callable[[Keep, int], Awaitable[None]], counts: tuple[int, int]
) -> None:
    """Each call moves about as many bytes in a large database as in a small one."""
    costs: list[list[int]] = []
    for count in counts:
        async with Keep(database.enrolment.open(_folder(database, f"of {count}"), database.namespace)) as keep:
            await fill(keep, count)
            costs.append([await _cheapest(keep, call) for call in calls])
    for number, (few, many) in enumerate(zip(*costs, strict=True)):
        assert many <= 2 * few + _SLACK, f"call {number}: {few} bytes in a small database, {many} in a large one"


async def _cheapest(keep: Keep, call: Call) -> int:
    """The bytes of the cheapest of a few turns: what is put off, such as a checkpoint, may fall into one of them."""
    found: list[int] = []
    for turn in range(_TURNS):
        before = _bytes_moved()
        await call(keep, turn)
        found.append(_bytes_moved() - before)
    return min(found)


def _folder(database: Database, name: str) -> str:
    folder = Path(database.dsn, name)
    folder.mkdir()
    return str(folder)


def _bytes_moved() -> int:
    """What this process has read and written so far, from disk or from the system's memory."""
    if not _ACCOUNT.is_file():
        pytest.skip(f"NOT RUN: this system has no {_ACCOUNT}")
    account = dict(re.findall(r"(\w+): (\d+)", _ACCOUNT.read_text()))
    return int(account["rchar"]) + int(account["wchar"])
