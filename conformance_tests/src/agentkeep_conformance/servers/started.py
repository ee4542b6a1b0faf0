"""A server that we started, of one node or several."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from agentkeep_conformance.servers.model import NotRun

_POLL = 0.1
_READY_WITHIN = 120.0

Check = Callable[[str], str]
"""Gives a server's version by a real query to its URL; raises what its client raises."""


class Node(Protocol):
    """A process on this machine, or a container."""

    def start(self) -> None:
        """Begin it with the data that it left, unless it is running."""
        ...

    def alive(self) -> bool: ...

    def kill(self) -> None:
        """As SIGKILL; returns when it is gone."""
        ...

    def last_words(self) -> str:
        """The end of its log, on one line."""
        ...


class Started:
    """They answer at `dsn`, and can be killed and started again."""

    def __init__(self, dsn: str, nodes: Sequence[Node], check: Check) -> None:
        self.dsn = dsn
        self._nodes = nodes
        self._check = check

    def kill(self, node: int | None = None) -> None:
        for killed in self._nodes if node is None else [self._nodes[node]]:
            killed.kill()

    def restart(self) -> None:
        for node in self._nodes:
            node.start()
        self.wait()

    def wait(self) -> None:
        """Return when a query is answered. Raises `NotRun` with the log's end when a node ends before that."""
        deadline = time.monotonic() + _READY_WITHIN
        while True:
            self._still_coming()
            try:
                self._check(self.dsn)
            except NotRun:
                raise
            except Exception as error:
                if time.monotonic() > deadline:
                    raise NotRun(f"no answer within {_READY_WITHIN:.0f} s: {type(error).__name__}: {error}") from error
                time.sleep(_POLL)
            else:
                self._still_coming()
                return

    def _still_coming(self) -> None:
        for node in self._nodes:
            if not node.alive():
                raise NotRun(f"it ended while starting: {node.last_words()}")
