"""A plugin of the pytest that tests one mutant: likely killers first; a kill counts if it repeats."""

from __future__ import annotations

import faulthandler
import importlib.util
import json
import os
import sys
from pathlib import Path
from time import monotonic
from typing import Any, cast
from zlib import crc32

import pytest
from _pytest.runner import runtestprotocol

from agentkeep_conformance.families import stateful
from agentkeep_conformance.mutate.sources import source_of
from agentkeep_conformance.mutate.touched import Touched

ORDER = "AGENTKEEP_MUTATE_ORDER"
"""The environment's variable with a file's path: what the run is told, in JSON."""
SAID = "AGENTKEEP_MUTATE_SAID"
"""The same for the file to which the run adds a line of JSON for each test that starts and each that ends."""
UNMEASURED_PATIENCE = 300.0
"""Seconds after which a test of the unchanged package counts as hung."""
NOT_THE_MUTANT = 97
"""The exit code if the package would come from elsewhere. Not one of pytest's: 3 is its own failure, which a mutant may
cause, such as an endless recursion."""


def pytest_configure(config: pytest.Config) -> None:
    stateful.SHORTEN_SECONDS = 0.0  # a mutant is to be killed, and the program that kills it need not be short
    config.pluginmanager.register(_Mutant(json.loads(Path(os.environ[ORDER]).read_text(encoding="utf-8"))))


class _Mutant:
    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self._said = Path(os.environ[SAID])
        self._started = monotonic()
        self._touched = Touched() if "measure" in order else None

    def pytest_sessionstart(self) -> None:
        """The tree's own package must not be tested in the mutant's place."""
        found = importlib.util.find_spec(self._order["module"])
        if found is None or not str(found.origin).startswith(self._order["folder"]):
            pytest.exit(f"{self._order['module']} does not come from the mutant's folder", returncode=NOT_THE_MUTANT)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._touched:
            self._touched.imported()
            part, parts = cast("list[int]", self._order["measure"])
            measured = self._order["measured"]
            here = [item for item in items if crc32(item.nodeid.encode()) % parts == part]
            items[:] = [item for item in here if measured.get(item.nodeid) != source_of(item)]
        else:
            found = {item.nodeid: item for item in items}
            items[:] = [found[name] for name in self._order["tests"] if name in found]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """A test that failed runs once more: under load it may fail for another reason than the mutant."""
        limit = self._order.get("limit")
        if limit and monotonic() - self._started > limit:
            self._say({"stopped": limit})
            item.session.shouldstop = "the time for this mutant is over"
            return True
        clauses = sorted({name for marker in item.iter_markers("proves") for name in marker.args})
        self._say({"test": item.nodeid, "clauses": clauses, "source": source_of(item) if self._touched else ""})
        reports = self._reports(item, nextitem)
        if any(report.failed for report in reports):
            cast("Any", item)._initrequest()
            reports = self._reports(item, nextitem)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        touched = self._touched.since_last() if self._touched else []
        self._say({"seconds": sum(report.duration for report in reports), "why": _why(reports), "touched": touched})
        return True

    def _reports(self, item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
        patience = self._order.get("tests", {}).get(item.nodeid, UNMEASURED_PATIENCE)
        faulthandler.dump_traceback_later(patience, exit=True, file=sys.__stderr__ or sys.stderr)
        try:
            return runtestprotocol(item, log=False, nextitem=nextitem)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _say(self, said: dict[str, object]) -> None:
        with self._said.open("a", encoding="utf-8") as file:
            file.write(json.dumps(said) + "\n")


def _why(reports: list[pytest.TestReport]) -> str:
    """The last line of what failed; empty if nothing did."""
    for report in reports:
        if report.failed:
            return str(report.longrepr).strip().rpartition("\n")[2][:300] or "failed"
    return ""
