"""Which tests the everyday tier runs of an enrolment that has `one_in` (see `enrolment.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

import pytest

from agentkeep_conformance.enrolment import Enrolment


class Candidate(NamedTuple):
    item: pytest.Item
    suite: type[Enrolment]
    name: str
    clauses: Sequence[str]

    @property
    def is_unwanted(self) -> bool:
        return not self.suite.draws_long_tests and self.item.get_closest_marker("takes_long") is not None


def left_out(candidates: Sequence[Candidate], seed: int) -> set[pytest.Item]:
    """All that are not drawn. An enrolment of every day keeps the first test of each clause that has none drawn."""
    drawn = [each for each in candidates if _is_drawn(each, seed) and not each.is_unwanted]
    seen = {(each.suite, clause) for each in drawn for clause in each.clauses}
    chosen = {each.item for each in drawn}
    for each in sorted(candidates, key=lambda each: each.is_unwanted):
        missing = {(each.suite, clause) for clause in each.clauses} - seen
        if missing and each.suite.everyday:
            chosen.add(each.item)
            seen |= missing
    return {each.item for each in candidates} - chosen


def is_named(suite: type[Enrolment], config: pytest.Config) -> bool:
    """Whether the command names this class, so that all of it is run."""
    return any(suite.__name__ in argument for argument in config.args)


def _is_drawn(candidate: Candidate, seed: int) -> bool:
    """Each enrolment draws others."""
    suite = candidate.suite
    return crc32(f"{seed}.{suite.__name__}.{candidate.name}".encode()) % suite.one_in == 0
