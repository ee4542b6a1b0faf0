"""Which tests the everyday tier runs of an enrolment that has `one_in` (see `enrolment.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

import pytest

from agentkeep_conformance.costs import Costs
from agentkeep_conformance.enrolment import Enrolment

_CHEAP_SECONDS = 0.25
"""Of a test of which `one_of_each` has every case: a server that is slow to fill still answers many of them quickly."""


class Candidate(NamedTuple):
    item: pytest.Item
    suite: type[Enrolment]
    name: str
    clauses: Sequence[str]

    @property
    def test(self) -> str:
        """The name without its case."""
        return self.name.partition("[")[0]

    @property
    def is_unwanted(self) -> bool:
        return not self.suite.draws_long_tests and self.item.get_closest_marker("takes_long") is not None


def left_out(candidates: Sequence[Candidate], seed: int) -> set[pytest.Item]:
    """All that are not drawn. An enrolment of every day keeps the first test of each clause that has none drawn."""
    costs = Costs()
    drawn = [each for each in candidates if _is_drawn(each, seed, costs) and not each.is_unwanted]
    drawn += _missing(candidates, drawn, seed)
    seen = {(each.suite, clause) for each in drawn for clause in each.clauses}
    chosen = {each.item for each in drawn}
    for each in sorted(candidates, key=lambda each: each.is_unwanted):
        missing = {(each.suite, clause) for clause in each.clauses} - seen
        if missing and each.suite.everyday:
            chosen.add(each.item)
            seen |= missing
    return {each.item for each in candidates} - chosen


def _missing(candidates: Sequence[Candidate], drawn: Sequence[Candidate], seed: int) -> list[Candidate]:
    """One case of each test that has none drawn, for the enrolments that want it."""
    tests = {(each.suite, each.test) for each in drawn}
    cases: dict[tuple[type[Enrolment], str], Candidate] = {}
    for each in sorted(candidates, key=lambda each: _number(each, seed)):
        if each.suite.one_of_each and not each.is_unwanted and (each.suite, each.test) not in tests:
            cases.setdefault((each.suite, each.test), each)
    return list(cases.values())


def is_named(suite: type[Enrolment], config: pytest.Config) -> bool:
    """Whether the command names this class, so that all of it is run."""
    return any(suite.__name__ in argument for argument in config.args)


def _is_drawn(candidate: Candidate, seed: int, costs: Costs) -> bool:
    is_cheap = candidate.suite.one_of_each and costs.of(candidate.test, candidate.suite) <= _CHEAP_SECONDS
    return is_cheap or _number(candidate, seed) % candidate.suite.one_in == 0


def _number(candidate: Candidate, seed: int) -> int:
    """By which it is drawn: each enrolment draws others."""
    return crc32(f"{seed}.{candidate.suite.__name__}.{candidate.name}".encode())
