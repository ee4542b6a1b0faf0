"""`--conformance-minute`: what a minute shows of an adapter, for a developer who waits for it."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, cast
from zlib import crc32

import pytest

from agentkeep_conformance.costs import Costs, test_of
from agentkeep_conformance.enrolment import Enrolment
from agentkeep_conformance.items import family_of, suite_of
from agentkeep_conformance.outcomes import SEED

_LAST_BEGIN_SECONDS = 48
_LAST_END_SECONDS = 56
"""No test begins that would end later, by the seconds that it took before. The servers then have time to stop."""
_SHOWS_MOST = "stateful"
"""The family of the random programs, which met most of the faults that others planted."""
_NEXT_CASE = 3
"""So much less does a further case of a test show than the case before it: the order of cost by use needs a guess."""
_BEGAN, _LEFT = "agentkeep_minute_began", "agentkeep_minute_left"


class Minute:
    """First the random programs, then all other tests in the order of what they cost by what they show.

    A test's first case is drawn by the seed and shows the most. Of enrolments that derive from one another, as those
    of a database's topologies, only the first is asked. The evidence holds the tests that ran, and the output says how
    many the minute left. A run without this option asks them all.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        given = cast("dict[str, float]", getattr(config, "workerinput", {}))
        self._began = given.get(_BEGAN, time.time())
        self._left = 0
        self._costs = Costs()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A process of pytest-xdist takes the time from the command's begin."""
        node.workerinput[_BEGAN] = self._began

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        enrolments = {suite for item in items if (suite := suite_of(item))}
        derived = [item for item in items if _derives(suite_of(item), enrolments)]
        self._config.hook.pytest_deselected(items=derived)
        seed = self._config.stash[SEED]
        drawn = sorted(set(items) - set(derived), key=lambda item: crc32(f"{seed} {item.nodeid}".encode()))
        places: dict[pytest.Item, float] = {}
        met = Counter[str]()
        for item in drawn:
            test = test_of(item)
            places[item] = self._costs.of_item(item) * _NEXT_CASE ** met[test]
            met[test] += 1
        items[:] = sorted(drawn, key=lambda item: -1.0 if _shows_most(item) else places[item])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        now = time.time() - self._began
        if now < _LAST_BEGIN_SECONDS and (now + self._costs.of_item(item) < _LAST_END_SECONDS or _shows_most(item)):
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
            terminalreporter.write_line(
                f"the minute was over before {self._left} more tests, which a run without --conformance-minute asks"
            )


def _derives(suite: type[Enrolment] | None, enrolments: set[type[Enrolment]]) -> bool:
    return suite is not None and any(base in enrolments for base in suite.__mro__[1:])


def _shows_most(item: pytest.Item) -> bool:
    return suite_of(item) is not None and family_of(item) == _SHOWS_MOST
