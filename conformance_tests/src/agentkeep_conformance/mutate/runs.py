"""Runs the suite on mutants, each in a copy of the package and in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from time import monotonic
from typing import Any, Self

import pytest

from agentkeep_conformance.mutate import child
from agentkeep_conformance.mutate.kept import Kept, Record
from agentkeep_conformance.mutate.mutants import Mutant
from agentkeep_conformance.mutate.nursery import LIBRARIES, SUITE, Nursery
from agentkeep_conformance.mutate.sources import state_of_families
from agentkeep_conformance.mutate.touched import FILE, instrument

OPTIONS = [
    *("-x", "-q", "--tb=short", "--assert=plain"),
    *(
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
        "-p",
        "no:unraisableexception",
        "-p",
        "no:threadexception",
    ),
    *("-p", child.__name__),
]

PATIENCE = 30.0
"""Seconds after which a test of a mutant counts as hung; ten times what it needs otherwise, if that is more."""
LONGEST = 3_600.0
"""Seconds that the tests of the unchanged package may take."""
PARTS = 8
"""Of the measurement: so many runs."""


class Unsound(Exception):
    """The mutants can't be tested as things stand."""


@dataclass(frozen=True)
class Package:
    """What is changed, and which tests are asked."""

    module: str
    folder: Path
    tests: list[str]


@dataclass(frozen=True)
class Verdict:
    """What the tests said of one mutant; `test` is empty if all that were asked passed."""

    mutant: Mutant
    test: str = ""
    clauses: list[str] = field(default_factory=list[str])
    why: str = ""
    seconds: float = 0.0
    limit: float | None = None
    """Seconds after which no further test was asked, if that was the end of it."""


@dataclass(frozen=True)
class _Test:
    """A test on the unchanged package."""

    name: str
    source: str
    seconds: float
    touched: frozenset[str]

    @property
    def patience(self) -> float:
        return max(PATIENCE, 10 * self.seconds)

    def may_see(self, mutant: Mutant) -> bool:
        """Whether it runs the changed part. Each test may see what is in none, such as a module's body."""
        return mutant.runs_with is None or not mutant.runs_with.isdisjoint(self.touched)


@dataclass(frozen=True)
class _Ran:
    """One run of the tests: what it said, line by line, and its end."""

    said: list[dict[str, Any]]
    code: int
    log: str
    seconds: float


def _passed(said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tests that ended and did not fail, each in one record."""
    return [start | end for start, end in zip(said[::2], said[1::2], strict=False) if not end["why"]]


def _verdict(mutant: Mutant, kept: Record) -> Verdict:
    return Verdict(mutant, kept.test, kept.clauses, kept.why, kept.seconds, kept.limit)


class Runner:
    """Tests mutants of one package. What killed once is asked first."""

    def __init__(self, package: Package, kept: Kept, *, jobs: int, limit: float | None = None) -> None:
        self._package = package
        self._kept = kept
        self._jobs = jobs
        self._limit = limit
        self._lock = threading.Lock()
        self._tests: dict[str, _Test] = {}
        self._families = state_of_families()
        self._longest = LONGEST
        self._is_over = False
        self._kills: dict[str, Counter[str]] = {}
        modules = LIBRARIES if package.module == "agentkeep" else [*LIBRARIES, *SUITE]
        self._all = [Nursery(modules) for _ in range(jobs)]
        self._nurseries: Queue[Nursery] = Queue()
        for nursery in self._all:
            self._nurseries.put(nursery)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for nursery in self._all:
            nursery.close()

    def measure(self) -> float:
        """Run all tests on the unchanged package, which must pass. Returns the seconds. Raises `Unsound`."""
        started = monotonic()
        with self._threads() as threads:
            list(threads.map(self._measure_part, range(PARTS)))
        self._tests = {
            name: _Test(name, said["source"], said["seconds"], frozenset(said["touched"]))
            for name, said in self._kept.tests.items()
        }
        if not self._tests:
            raise Unsound("there are no tests")
        self._longest = 60 + 5 * sum(test.seconds for test in self._tests.values())
        return monotonic() - started

    def _measure_part(self, part: int) -> None:
        """A run that is cut or fails leaves what passed before."""
        if (part, self._families) in self._kept.whole_parts:
            return
        ran = self._run(None, part)
        is_whole = ran.code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        with self._lock:
            self._kept.add_part(part, _passed(ran.said), self._families if is_whole else "")
        if not is_whole:
            raise Unsound(f"the tests fail on the unchanged package:\n{ran.log[-3_000:]}")

    def _unmeasured(self, part: int) -> dict[str, Any]:
        measured = {name: said["source"] for name, said in self._kept.tests.items()}
        return {"measure": [part, PARTS], "measured": measured}

    def run(self, mutants: list[Mutant]) -> Iterator[Verdict]:
        """A verdict for each, as it ends. Raises `Unsound`."""
        with self._threads() as threads:
            for done in as_completed([threads.submit(self._test, mutant) for mutant in mutants]):
                yield done.result()

    @contextmanager
    def _threads(self) -> Generator[ThreadPoolExecutor]:
        """One for each run at a time. Whoever leaves early does not wait for the rest."""
        with ThreadPoolExecutor(self._jobs) as threads:
            try:
                yield threads
            finally:
                threads.shutdown(wait=False, cancel_futures=True)
                self._is_over = sys.exception() is not None
                for nursery in self._all:
                    nursery.kill_child()

    def _test(self, mutant: Mutant) -> Verdict:
        record = self._kept.verdict(mutant, self._limit)
        if record and record.source != self._source(record.test):
            record = None
        verdict = _verdict(mutant, record) if record else self._asked(mutant)
        with self._lock:
            if verdict.test:
                self._kills.setdefault(mutant.path, Counter())[verdict.test] += 1
            if not record:
                said = {name: value for name, value in vars(verdict).items() if name != "mutant"}
                self._kept.add_verdict(mutant, Record(**said, source=self._source(verdict.test)))
        return verdict

    def _source(self, test: str) -> str:
        """What a verdict depends on: all tests if none killed, and also if no test could start."""
        return self._tests[test].source if test in self._tests else self._families

    def _asked(self, mutant: Mutant) -> Verdict:
        if not self._that_may_see(mutant):
            return Verdict(mutant)
        ran = self._run(mutant)
        if self._is_over:  # the run was cut, and its end says nothing of the mutant
            raise Unsound("the run was cut")
        if ran.code == child.NOT_THE_MUTANT:
            raise Unsound(ran.log[-3_000:])
        if ran.code == 0:
            return Verdict(mutant, seconds=ran.seconds)
        if ran.said and "stopped" in ran.said[-1]:
            return Verdict(mutant, seconds=ran.seconds, limit=self._limit)
        started = [said for said in ran.said if "test" in said]
        none: dict[str, Any] = {"test": "no test could start", "clauses": []}
        last = started[-1] if started else none
        why = ran.said[-1].get("why") or "it did not end" if started else ran.log.strip().rpartition("\n")[2]
        return Verdict(mutant, last["test"], last["clauses"], why, ran.seconds)

    def _chosen(self, mutant: Mutant) -> dict[str, float]:
        """The tests that may see a mutant, with their patience.

        First what killed in its file, then what killed elsewhere, then what is quick.
        """
        with self._lock:
            here = self._kills.get(mutant.path, Counter[str]())
            anywhere = sum(self._kills.values(), Counter[str]())
        tests = self._that_may_see(mutant)
        tests.sort(key=lambda test: (-here[test.name], -anywhere[test.name], test.seconds))
        return {test.name: test.patience for test in tests}

    def _that_may_see(self, mutant: Mutant) -> list[_Test]:
        """If no test says the names of a statement, somebody else runs it, or nobody: all are asked."""
        tests = [test for test in self._tests.values() if test.may_see(mutant)]
        return tests if tests or mutant.names is None else list(self._tests.values())

    def _run(self, mutant: Mutant | None, part: int = 0) -> _Ran:
        with tempfile.TemporaryDirectory(prefix="agentkeep-mutate-", ignore_cleanup_errors=True) as name:
            scratch = Path(name)
            copy = scratch / "package" / self._package.module
            shutil.copytree(self._package.folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
            if mutant is None:
                instrument(copy)
            else:
                (copy / mutant.path).write_text(mutant.text, encoding="utf-8")
            order: dict[str, Any] = {"module": self._package.module, "folder": str(copy)}
            order |= {"tests": self._chosen(mutant), "limit": self._limit} if mutant else self._unmeasured(part)
            (scratch / "order").write_text(json.dumps(order), encoding="utf-8")
            (scratch / "said").touch()
            started = monotonic()
            code = self._pytest(scratch)
            lines = (scratch / "said").read_text(encoding="utf-8").splitlines(keepends=True)
            said = [json.loads(line) for line in lines if line.endswith("\n")]  # a killed run may leave half a line
            return _Ran(said, code, (scratch / "log").read_text(errors="replace"), monotonic() - started)

    def _pytest(self, scratch: Path) -> int:
        """The exit code. Ends all that the tests started, but servers, which end themselves without their owner."""
        paths = [str(scratch / "package"), *filter(None, [os.environ.get("PYTHONPATH")])]
        told = {child.ORDER: str(scratch / "order"), child.SAID: str(scratch / "said"), FILE: str(scratch / "touched")}
        nursery = self._nurseries.get()
        try:
            return nursery.run(
                {
                    "arguments": [*self._package.tests, *OPTIONS, f"--basetemp={scratch / 'tests'}"],
                    "environment": told | {"PYTHONPATH": os.pathsep.join(paths)},
                    "path": paths[0],
                    "log": str(scratch / "log"),
                    "seconds": int(self._longest),
                }
            )
        finally:
            self._nurseries.put(nursery)
