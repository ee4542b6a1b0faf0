"""Runs the suite on one planted fault, in a process of its own, and tells the parent each test's end as it comes."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Collection, Generator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import pytest

from agentkeep_conformance.families import stateful
from agentkeep_conformance.suite import AdapterConformance

OPTIONS = [
    "-q",
    "--tb=short",
    "--assert=plain",
    *("-p", "no:cacheprovider"),
    *("-p", "no:unraisableexception"),
    *("-p", "no:threadexception"),
]
"""A fault may leave rubbish that Python finds later, during another test: only a test's own failure counts."""


def run(file: Path, logs: Path, finished: Collection[str], pipe: Connection) -> None:
    """The body of a forked child. `finished`: tests that are not to be run (again)."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log = os.open(logs / f"{file.stem}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    tempfile.tempdir = os.environ["TMPDIR"] = str(logs)  # a child that is killed can't remove what it made
    stateful.SHORTEN_SECONDS = 0.0  # a fault is to be found, and its program need not be short
    scratch = logs / f"{file.stem}-{len(finished)}"
    teller = _Teller(finished, pipe)
    code = pytest.main([str(file), *OPTIONS, f"--basetemp={scratch}"], plugins=[teller, _Enough(teller)])
    pipe.send(("end", int(code)))
    pipe.close()
    os._exit(0)


class _Teller:
    def __init__(self, finished: Collection[str], pipe: Connection) -> None:
        self._finished = set(finished)
        self._pipe = pipe
        self._why = ""
        self.failed: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if test_of(item) not in self._finished]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._why = ""
        self._pipe.send(("start", test_of(item)))
        result = yield
        if self._why:
            self.failed.add(test_of(item))
        self._pipe.send(("done", test_of(item), self._why))
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self._why:
            self._why = str(report.longrepr).strip().rpartition("\n")[2][:300] or "failed"


class _Enough:
    """A test that saw the fault in one row is not run on its other rows."""

    def __init__(self, teller: _Teller) -> None:
        self._teller = teller

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        return True if test_of(item) in self._teller.failed else None


def test_of(item: pytest.Item) -> str:
    """family::test, the same for all rows of a parametrised test."""
    function = cast("Any", item).function
    return _name(function.__module__, function.__name__)


def all_tests() -> list[str]:
    """Every test of the suite."""
    return [
        _name(kind.__module__, name)
        for kind in AdapterConformance.__mro__
        for name in vars(kind)
        if name.startswith("test")
    ]


def _name(module: str, function: str) -> str:
    return f"{module.rpartition('.')[2]}::{function}"
