"""Which tests an enrolment's sample leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from agentkeep_conformance import costs
from agentkeep_conformance.enrolment import Enrolment
from agentkeep_conformance.sampling import Candidate, left_out


class Sampled(Enrolment):
    one_in = 2


class WithoutLong(Sampled):
    draws_long_tests = False


class OneOfEach(Sampled):
    one_in, one_of_each = 1_000_000, True


class Item:
    """As far as the sample looks at one."""

    def __init__(self, *, is_long: bool) -> None:
        self.is_long = is_long

    def get_closest_marker(self, name: str) -> str | None:
        return name if name == "takes_long" and self.is_long else None


def candidate(suite: type[Enrolment], number: int, clause: str, *, is_long: bool) -> Candidate:
    item: Any = Item(is_long=is_long)
    return Candidate(item, suite, f"test {number}", [clause])


@pytest.mark.parametrize(("suite", "has_long"), [(Sampled, True), (WithoutLong, False)])
def test_long_tests_are_drawn_unless_the_enrolment_says_no(suite: type[Enrolment], has_long: bool) -> None:
    candidates = [candidate(suite, number, "ORD-1", is_long=number % 2 == 0) for number in range(40)]
    out = left_out(candidates, 0)
    kept: list[Any] = [each.item for each in candidates if each.item not in out]
    assert 5 < len(kept) < 35
    assert any(item.is_long for item in kept) == has_long


def test_a_clause_that_a_long_test_alone_proves_keeps_it() -> None:
    long, short = candidate(WithoutLong, 1, "COST-4", is_long=True), candidate(WithoutLong, 2, "ORD-1", is_long=False)
    assert left_out([long, short], 0) == set()


def test_one_case_of_each_test_is_asked_where_an_enrolment_wants_that() -> None:
    rows = [(test, row) for test in "abcd" for row in range(5)]
    items: list[Any] = [Item(is_long=False) for _ in rows]
    for suite, expected in ((OneOfEach, ["a", "b", "c", "d"]), (Sampled, None)):
        candidates = [
            Candidate(item, suite, f"f::{test}[{row}]", []) for item, (test, row) in zip(items, rows, strict=True)
        ]
        out = left_out(candidates, 0)
        kept = sorted(each.test.removeprefix("f::") for each in candidates if each.item not in out)
        assert kept == expected or (expected is None and 5 < len(kept) < 15)


def test_every_case_of_a_cheap_test_is_asked_where_an_enrolment_wants_one_of_each(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "seconds.json"
    file.write_text('{"f::cheap": {"oneofeach": 0.1}, "f::dear": {"oneofeach": 1.0, "sampled": 0.1}}')
    monkeypatch.setattr(costs, "_FILE", file)
    for suite, expected in ((OneOfEach, ["cheap"] * 5 + ["dear"]), (Sampled, None)):
        candidates = [
            Candidate(cast("Any", Item(is_long=False)), suite, f"f::{test}[{row}]", [])
            for test in ("cheap", "dear")
            for row in range(5)
        ]
        out = left_out(candidates, 0)
        kept = [each.test.removeprefix("f::") for each in candidates if each.item not in out]
        assert kept == expected or (expected is None and len(kept) < 10)
