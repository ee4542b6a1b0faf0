"""A container keeps its port and its data when it is killed, and goes with the run however that ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from agentkeep_conformance import servers
from agentkeep_conformance.servers import ChosenServer
from testcontainers.core.docker_client import DockerClient

pytestmark = pytest.mark.servers

BEGIN = """
import time
from agentkeep_conformance import servers
from agentkeep_conformance.servers.run import current_run
assert servers.REDIS.dsn
print(*[path.name for path in (current_run().folder / "containers").iterdir()], flush=True)
time.sleep(600)
"""
WITHIN = 60.0


@pytest.fixture
def redis(started: Callable[[ChosenServer], ChosenServer]) -> ChosenServer:
    server = started(servers.REDIS)
    if server.source != "containers":
        pytest.skip(f"NOT RUN: this run has its servers by {server.source}")
    return server


@pytest.fixture
def names() -> Iterator[Callable[[], list[str]]]:
    """Asks the engine for all of its containers."""
    client: Any = DockerClient().client
    yield lambda: [found.name for found in client.containers.list(all=True, ignore_removed=True)]
    client.close()


def test_a_killed_container_comes_back_at_its_address(redis: ChosenServer) -> None:
    before = redis.address
    redis.kill()
    redis.kill()
    redis.restart()
    assert redis.address == before
    assert redis.version()


def test_it_is_published_on_loopback_alone(redis: ChosenServer) -> None:
    assert redis.address is not None
    client: Any = DockerClient().client
    try:
        published = [place for found in client.containers.list() for place in found.ports.get("6379/tcp") or ()]
    finally:
        client.close()
    assert {"HostIp": "127.0.0.1", "HostPort": str(redis.address[1])} in published
    assert {place["HostIp"] for place in published} == {"127.0.0.1"}


@pytest.mark.usefixtures("redis")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_interrupted_or_killed_leaves_no_container(
    number: signal.Signals, names: Callable[[], list[str]]
) -> None:
    command = [sys.executable, "-c", BEGIN]
    environment = {**os.environ, "AGENTKEEP_TEST_SERVERS": "containers"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        assert run.stdout is not None
        started = run.stdout.readline().split()
        assert len(started) == 1
        assert started[0] in names()
        run.send_signal(number)
    deadline = time.monotonic() + WITHIN
    while started[0] in names():
        assert time.monotonic() < deadline, "not within the bound"
        time.sleep(0.1)
