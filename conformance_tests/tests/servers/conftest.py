"""Tests of the servers themselves: NOT RUN where one is not there, a failure where all are required."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from agentkeep_conformance.outcomes import REQUIRED
from agentkeep_conformance.servers import ChosenServer, NotRun

Started = Callable[[ChosenServer], ChosenServer]
Killed = Callable[..., None]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "servers: needs a database server")


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Started:
    """Starts a server, or ends the test as NOT RUN."""

    def start(server: ChosenServer) -> ChosenServer:
        try:
            assert server.dsn
        except NotRun as reason:
            if request.config.stash[REQUIRED]:
                pytest.fail(f"required, but NOT RUN: {reason}")
            pytest.skip(f"NOT RUN: {reason}")
        return server

    return start


@pytest.fixture
def killed() -> Killed:
    """Kills a started server or one node of it, or ends the test as NOT RUN where it is not ours to kill."""

    def kill(server: ChosenServer, node: int | None = None) -> None:
        try:
            server.kill(node)
        except NotRun as reason:
            if server.source != "url":
                raise
            pytest.skip(f"NOT RUN: {reason}")

    return kill
