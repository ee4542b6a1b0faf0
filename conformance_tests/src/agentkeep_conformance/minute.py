"""`--conformance-minute`: what a minute shows of an adapter, for a developer who waits for it."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, cast
from zlib import crc32

import pytest

from agentkeep_conformance.items import family_of, suite_of
from agentkeep_conformance.outcomes import SEED

_LAST_BEGIN_SECONDS = 48
"""No test begins later, so that those which have begun end within the minute: without a mark, the longest take 9 s."""
_SHOWS_MOST = "stateful"
"""The family of the random programs, which met most of the faults that others planted."""
# fmt: off
_SLOW = {
    "bounded_steps", "capabilities", "crashes", "expiry_races", "growth", "held_commits", "held_writes",
    "listing_costs", "noise", "processes", "steps", "timeouts", "watching_cuts",
}
# fmt: on
"""Families of which a test takes a second or more on PostgreSQL (30 November 2026): they wait for two rounds."""
_BEGAN, _LEFT = "agentkeep_minute_began", "agentkeep_minute_left"


class Minute:
    """First the random programs, then one case of each test, then a second one of each; then slow ones too.

    Last comes what takes long. Which of a test's cases is its first is drawn by the seed. The evidence holds the tests
    that ran, and the output says how many the minute left. A run without this option asks them all.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        given = cast("dict[str, float]", getattr(config, "workerinput", {}))
        self._began = given.get(_BEGAN, time.time())
        self._left = 0

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A process of pytest-xdist takes the time from the command's begin."""
        node.workerinput[_BEGAN] = self._began

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        seed = self._config.stash[SEED]
        rounds: dict[str, int] = {}
        met = Counter[str]()
        for item in sorted(items, key=lambda item: crc32(f"{seed} {item.nodeid}".encode())):
            function = item.nodeid.partition("[")[0]
            rounds[item.nodeid] = met[function]
            met[function] += 1
        items.sort(key=lambda item: _place(item, rounds[item.nodeid]))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if time.time() < self._began + _LAST_BEGIN_SECONDS:
            return None
        self._left += 1
        return True

    def pytest_sessionfinish(self) -> None:
        told = cast("dict[str, object] | None", getattr(self._config, "workeroutput", None))
        if told is not None:
            told[_LEFT] = self._left

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._left += getattr(node, "workeroutput", {}).get(_LEFT, 0)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._left:
            terminalreporter.write_line(f"the minute was over before {self._left} more tests: `dev.py suite` asks all")


def _place(item: pytest.Item, round_: int) -> tuple[bool, bool, int]:
    family = family_of(item) if suite_of(item) else None
    if family == _SHOWS_MOST:
        return False, False, 0
    takes_long = item.get_closest_marker("takes_long") is not None
    return True, takes_long, round_ + 2 if family in _SLOW else round_
