"""Tests of some families that run once more in other circumstances, which may not change what a call means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import signature
from itertools import product
from typing import Any, cast
from zlib import crc32

import pytest
from agentkeep import Keep

from agentkeep_conformance.clauses import clauses_of
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.after_writes import AfterWrites
from agentkeep_conformance.families.beside_expired import BesideExpired
from agentkeep_conformance.families.fidelity import Fidelity
from agentkeep_conformance.families.forks import Forks
from agentkeep_conformance.families.log_shapes import LogShapes
from agentkeep_conformance.families.lookups import Lookups
from agentkeep_conformance.families.moving import Moving
from agentkeep_conformance.families.namesakes import Namesakes
from agentkeep_conformance.families.reading import Reading
from agentkeep_conformance.families.search_narrowed import SearchNarrowed
from agentkeep_conformance.families.searching import Searching
from agentkeep_conformance.families.sessions import Sessions
from agentkeep_conformance.families.ttl import TimeToLive

_FAMILIES = (
    Sessions,
    Forks,
    Lookups,
    Reading,
    Fidelity,
    LogShapes,
    AfterWrites,
    BesideExpired,
    Moving,
    Searching,
    SearchNarrowed,
    TimeToLive,
    Namesakes,
)
_FIXTURES = {"database", "keep", "twin"}
_OF_MANY = {
    "test_delete_many_takes_all_that_match_however_many",
    "test_a_tail_may_be_of_any_length",
    "test_the_start_of_a_long_turn_is_still_found",
    "test_a_sweep_takes_all_tenants_and_more_than_a_step",
    "test_get_many_takes_more_than_any_page",
    "test_a_fork_of_a_log_longer_than_a_page",
    "test_a_fork_is_of_one_life_while_others_begin",
    "test_the_work_of_a_fork_does_not_grow_with_what_it_leaves",
    "test_iterating_forwards_and_backwards_between_any_bounds",
    "test_a_tail_of_whole_turns_is_the_shortest_that_begins_one",
}
"""Tests with so much data that they meet the real limits, or with so many reads that pages of two take a minute."""
_Test = Callable[..., Any]


def _tests() -> Iterator[tuple[str, _Test]]:
    for family in _FAMILIES:
        for name, test in vars(family).items():
            if name.startswith("test_") and name not in _OF_MANY and _is_plain(test) and _taken(test) <= _FIXTURES:
                yield name.removeprefix("test_"), test


def _is_plain(test: _Test) -> bool:
    """Whether it needs neither a wire nor a hook, and is not about costs, which small limits change."""
    marks = {mark.name for mark in _marks(test)}
    return marks <= {"proves", "parametrize"} and not any(clause.startswith("COST") for clause in clauses_of(test))


def _marks(test: _Test) -> list[pytest.Mark]:
    return getattr(test, "pytestmark", [])


def _taken(test: _Test) -> set[str]:
    """The fixtures that a test asks for."""
    return set(signature(test).parameters) - {"self"} - {name for names, _ in _parameters(test) for name in names}


def _parameters(test: _Test) -> list[tuple[list[str], Sequence[Any]]]:
    """The names and rows of each `parametrize`."""
    return [
        (names.split(",") if isinstance(names, str) else list(names), list(rows))
        for names, rows in (mark.args[:2] for mark in _marks(test) if mark.name == "parametrize")
    ]


def _rows(test: _Test) -> list[Mapping[str, Any]]:
    """What each case of the test is given beside its fixtures."""
    sets = [[_row(names, row) for row in rows] for names, rows in _parameters(test)]
    return [{name: value for row in rows for name, value in row.items()} for rows in product(*sets)]


def _row(names: Sequence[str], row: Any) -> Mapping[str, Any]:
    return dict(zip(names, row if len(names) > 1 else [row], strict=True))


TESTS = dict(_tests())


async def run_again(suite: object, name: str, database: Database, keep: Keep, twin: Keep) -> None:
    """Run one case of the test, drawn by the seed, with these as its fixtures."""
    test = TESTS[name]
    rows = _rows(test)
    row = rows[crc32(f"{database.seed} {name}".encode()) % len(rows)]
    fixtures = {"database": database, "keep": keep, "twin": twin}
    await test(cast("Any", suite), **{each: fixtures[each] for each in _taken(test)}, **row)
