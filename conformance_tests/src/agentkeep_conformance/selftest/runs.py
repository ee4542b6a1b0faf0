"""Runs many enrolments side by side, each in forked processes, and stops a test that does not end."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic
from typing import cast

from agentkeep_conformance.selftest import child
from agentkeep_conformance.selftest.planted import Planted

_FORK = multiprocessing.get_context("fork")
_LOOK_SECONDS = 1.0


@dataclass
class Run:
    """What the suite found on one enrolment."""

    planted: Planted
    passed: set[str] = field(default_factory=set[str])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    """A test and what it said."""
    hung: set[str] = field(default_factory=set[str])
    broken: str = ""
    """Why the run could not be done, if so."""
    seconds: float = 0.0

    @property
    def killers(self) -> list[str]:
        """The tests that saw the fault; one that hung only if the fault says that it shows this way."""
        return sorted(self.failed.keys() | (self.hung if self.planted.hangs else set[str]()))

    @property
    def ran(self) -> set[str]:
        return self.passed | self.failed.keys() | self.hung


@dataclass
class _Running:
    run: Run
    process: BaseProcess
    pipe: Connection
    started: float
    test: str = ""
    test_started: float = 0.0


class Runner:
    """`jobs` enrolments at a time; a test that takes longer than `patience` seconds is stopped as hung."""

    def __init__(self, logs: Path, *, jobs: int, patience: float, left_out: Callable[[Planted], Sequence[str]]) -> None:
        self._logs = logs
        self._jobs = jobs
        self._patience = patience
        self._left_out = left_out
        self._running: dict[Connection, _Running] = {}

    def run(self, planted: Sequence[Planted], done: Callable[[Run], None]) -> list[Run]:
        """Run all; `done` hears of each as it ends."""
        runs = [Run(each) for each in planted]
        waiting = list(reversed(runs))
        try:
            while waiting or self._running:
                while waiting and len(self._running) < self._jobs:
                    self._start(waiting.pop())
                self._listen(done)
                self._look_for_hangs(done)
        finally:
            for running in self._running.values():
                _kill(running)
        return runs

    def _start(self, run: Run) -> None:
        mine, theirs = cast("tuple[Connection, Connection]", _FORK.Pipe(duplex=False))
        finished = {*self._left_out(run.planted), *run.ran}
        process = _FORK.Process(target=child.run, args=(run.planted.file, self._logs, finished, theirs))
        process.start()
        theirs.close()
        self._running[mine] = _Running(run, process, mine, monotonic())

    def _listen(self, done: Callable[[Run], None]) -> None:
        for pipe in cast("list[Connection]", wait(list(self._running), timeout=_LOOK_SECONDS)):
            running = self._running[pipe]
            try:
                ended = self._hear(running, pipe.recv())
            except EOFError:
                running.run.broken = self._last_words(running)
                ended = True
            if ended:
                self._end(running)
                done(running.run)

    def _look_for_hangs(self, done: Callable[[Run], None]) -> None:
        for running in list(self._running.values()):
            if running.test and monotonic() - running.test_started > self._patience:
                running.run.hung.add(running.test)
                self._end(running)
                if running.run.planted.hangs:
                    done(running.run)  # it showed itself, and each further hang would take `patience` again
                else:
                    self._start(running.run)

    def _hear(self, running: _Running, message: tuple[str, ...]) -> bool:
        run = running.run
        match message:
            case ("start", test):
                running.test, running.test_started = test, monotonic()
            case ("done", test, why):
                running.test = ""
                if why:
                    run.failed.setdefault(test, why)
                    run.passed.discard(test)
                elif test not in run.failed:
                    run.passed.add(test)
            case (_, code):
                if int(code) > 1:
                    run.broken = self._last_words(running)
                return True
            case _:
                raise AssertionError(f"a child said {message!r}")
        return False

    def _last_words(self, running: _Running) -> str:
        log = self._logs / f"{running.run.planted.name}.log"
        return log.read_text(errors="replace")[-2_000:] if log.exists() else "it ended without a word"

    def _end(self, running: _Running) -> None:
        running.run.seconds += monotonic() - running.started
        _kill(running)
        del self._running[running.pipe]


def _kill(running: _Running) -> None:
    """The child, and all that it started."""
    for kill in (os.killpg, os.kill):
        try:
            kill(cast("int", running.process.pid), signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    running.process.join()
    running.pipe.close()
