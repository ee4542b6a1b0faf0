"""A server in a container, where a container engine answers."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from typing import Any

from testcontainers.core.container import DockerContainer

from agentkeep_conformance.servers.chosen import Given, Running
from agentkeep_conformance.servers.model import NotRun
from agentkeep_conformance.servers.native import Check, until_answered
from agentkeep_conformance.servers.run import current_run


def start_container(
    name: str,
    *,
    image: str,
    port: int,
    dsn: str,
    check: Check,
    environment: dict[str, str] | None = None,
    command: str | None = None,
    image_variable: str | None = None,
) -> Running:
    """Start `image` and return when it answers; it is removed with the run. Raises `NotRun`.

    `dsn` has `{address}` where host and port go. AGENTKEEP_TEST_NAME_IMAGE, or `image_variable`, names another image.
    """
    if not _engine_answers():
        raise NotRun("no container engine answers")
    image = os.environ.get(image_variable or f"AGENTKEEP_TEST_{name.upper()}_IMAGE") or image
    container: Any = DockerContainer(image).with_exposed_ports(port).with_name(current_run().claim_container(name))
    for key, value in (environment or {}).items():
        container.with_env(key, value)
    if command:
        container.with_command(command)
    try:
        container.start()
    except Exception as error:
        raise NotRun(f"no container of {image}: {error}") from error
    host = os.environ.get("TESTCONTAINERS_HOST_OVERRIDE") or container.get_container_host_ip()
    address = f"{host}:{container.get_exposed_port(port)}"
    running = Given(dsn.format(address=address))
    until_answered(lambda: check(running.dsn), lambda: _still_coming(container.get_wrapped_container()))
    return running


_ASK_ENGINE = "from testcontainers.core.docker_client import DockerClient; DockerClient().client.ping()"


@cache
def _engine_answers() -> bool:
    """Asked in a process of its own: the client leaves sockets open where none answers."""
    command = [sys.executable, "-P", "-c", _ASK_ENGINE]
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _still_coming(container: Any) -> None:
    container.reload()
    if container.status in ("exited", "dead"):
        raise NotRun(f"the container ended while starting: {container.logs(tail=5).decode(errors='replace')}")
