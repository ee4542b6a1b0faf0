"""A server made of processes on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from agentkeep_conformance.servers.model import NotRun
from agentkeep_conformance.servers.process import Process

_POLL = 0.1
_READY_WITHIN = 120.0

Check = Callable[[str], str]
"""Gives a server's version by a real query to its URL; raises what its client raises."""


class Native:
    """One process for each node, in the order of the nodes; they answer at `dsn`."""

    def __init__(self, dsn: str, processes: Sequence[Process], check: Check) -> None:
        self.dsn = dsn
        self._processes = processes
        self._check = check

    def kill(self, node: int | None = None) -> None:
        for process in self._processes if node is None else [self._processes[node]]:
            process.kill()

    def restart(self) -> None:
        for process in self._processes:
            process.start()
        self.wait()

    def wait(self) -> None:
        """Return when a query is answered. Raises `NotRun` with the log's end when a process ends before that."""
        until_answered(lambda: self._check(self.dsn), self._still_coming)

    def _still_coming(self) -> None:
        for process in self._processes:
            if not process.alive():
                raise NotRun(f"it ended while starting: {process.last_words()}")


def until_answered(query: Callable[[], object], still_coming: Callable[[], None]) -> None:
    """Repeat `query` until it raises nothing; `still_coming` raises when there is no hope. Raises `NotRun`."""
    deadline = time.monotonic() + _READY_WITHIN
    while True:
        still_coming()
        try:
            query()
        except NotRun:
            raise
        except Exception as error:
            if time.monotonic() > deadline:
                raise NotRun(f"no answer within {_READY_WITHIN:.0f} s: {type(error).__name__}: {error}") from error
            time.sleep(_POLL)
        else:
            still_coming()
            return
