"""A server in a container, if there is a container engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

from testcontainers.core.container import DockerContainer

from agentkeep_conformance.servers.model import NotRun
from agentkeep_conformance.servers.run import current_run, free_ports

_LOG_TAIL = 600
_LOOPBACK = "127.0.0.1"


class Container:
    """One container that is removed with the run. Killed and started again, it has its data and its port."""

    def __init__(self, container: Any, address: str) -> None:
        self.address = address
        self._container = container

    def start(self) -> None:
        self._container.start()

    def alive(self) -> bool:
        self._container.reload()
        return self._container.status not in ("exited", "dead")

    def kill(self) -> None:
        if self.alive():
            self._container.kill()
            self._container.wait()

    def last_words(self) -> str:
        return " ".join(self._container.logs(tail=5).decode(errors="replace").split())[-_LOG_TAIL:]

    def run(self, command: Sequence[str], environment: dict[str, str]) -> None:
        """Run a command inside to its end. Raises `NotRun` when it fails."""
        code, said = self._container.exec_run(list(command), environment=environment)
        if code:
            raise NotRun(f"{command[0]} failed: {' '.join(said.decode(errors='replace').split())[-_LOG_TAIL:]}")


def start_container(
    name: str,
    *,
    image: str,
    image_variable: str | None = None,
    port: int | None,
    environment: dict[str, str] | None = None,
    command: str | None = None,
) -> Container:
    """Start `image`; it need not answer yet. Raises `NotRun`.

    `port` is the one inside; None means the host's own network. AGENTKEEP_TEST_NAME_IMAGE, or `image_variable`,
    names another image.
    """
    if not _engine_answers():
        raise NotRun("no container engine answers")
    image = os.environ.get(image_variable or f"AGENTKEEP_TEST_{name.upper()}_IMAGE") or image
    container: Any = DockerContainer(image).with_name(current_run().claim_container(name))
    if command:
        container.with_command(command)
    container.with_envs(**(environment or {}))
    local = _is_local(container)
    if port is None:
        container.with_kwargs(network_mode="host")
    else:
        # A port that the engine chooses would be another one after a restart.
        (published,) = free_ports(1)
        container.ports[str(port)] = (_LOOPBACK, published) if local else published
    try:
        container.start()
        host = _LOOPBACK if local else _override() or container.get_container_host_ip()
        address = host if port is None else f"{host}:{container.get_exposed_port(port)}"
    except Exception as error:
        raise NotRun(f"no container of {image}: {error}") from error
    return Container(container.get_wrapped_container(), address)


def _override() -> str | None:
    return os.environ.get("TESTCONTAINERS_HOST_OVERRIDE")


def _is_local(container: Any) -> bool:
    """Whether what the engine publishes on its loopback address is on ours."""
    client = container.get_docker_client()
    host = _override() or (client.host() if client.get_connection_mode().use_mapped_port else "")
    return host in ("localhost", _LOOPBACK)


_ASK_ENGINE = "from testcontainers.core.docker_client import DockerClient; DockerClient().client.ping()"


@cache
def _engine_answers() -> bool:
    """Asked in a process of its own: the client leaves sockets open where none answers."""
    command = [sys.executable, "-P", "-c", _ASK_ENGINE]
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
