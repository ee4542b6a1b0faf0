"""How many seconds a test took on each adapter, in `seconds.json`, by which a minute chooses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from agentkeep_conformance.enrolment import Enrolment, name_of
from agentkeep_conformance.items import family_of, suite_of

_FILE = Path(__file__).with_name("seconds.json")
_UNKNOWN_SECONDS = 0.3
"""Of a test that did not run when the file was written. About half of PostgreSQL's tests take less."""


class Costs:
    """What a case of each test cost: the mean of its cases on this adapter, or on the slowest, if it is another one."""

    def __init__(self) -> None:
        self._seconds: dict[str, dict[str, float]] = json.loads(_FILE.read_text(encoding="utf-8"))

    def of_item(self, item: pytest.Item) -> float:
        return self.of(test_of(item), suite_of(item))

    def of(self, test: str, suite: type[Enrolment] | None) -> float:
        """`test`: its family and name, as in the evidence."""
        seconds = self._seconds.get(test, {})
        return seconds.get(name_of(suite) if suite else "", max(seconds.values(), default=_UNKNOWN_SECONDS))


def test_of(item: pytest.Item) -> str:
    """A test of the suite by its family, without its case."""
    family = f"{family_of(item)}::" if suite_of(item) else ""
    return family + item.name.partition("[")[0]


def costs_text(evidence: Mapping[str, Any]) -> str:
    """The file's content, from the evidence of a run: of the adapters that ran at least half of all tests.

    Raises KeyError for a summary, which has no single tests.
    """
    seconds: dict[str, dict[str, list[float]]] = {}
    for adapter, found in sorted(evidence["adapters"].items()):
        for name, test in found["tests"].items():
            if test["outcome"] == "proved":
                seconds.setdefault(name.partition("[")[0], {}).setdefault(adapter, []).append(test["seconds"])
    ran = [adapter for by_adapter in seconds.values() for adapter in by_adapter]
    wanted = {adapter for adapter in set(ran) if 2 * ran.count(adapter) >= len(seconds)}
    lines = [f"{json.dumps(test)}: {json.dumps(_means(of, wanted))}" for test, of in sorted(seconds.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _means(seconds: Mapping[str, Sequence[float]], wanted: set[str]) -> dict[str, float]:
    """At least a hundredth, so that a further case costs more than the one before it."""
    return {adapter: max(0.01, round(fmean(cases), 2)) for adapter, cases in seconds.items() if adapter in wanted}
