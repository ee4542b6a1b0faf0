"""A server in a container, where a container engine answers."""

from __future__ import annotations

import os
from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

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
    container_type, client = _engine()
    image = os.environ.get(image_variable or f"AGENTKEEP_TEST_{name.upper()}_IMAGE") or image
    container = container_type(image).with_exposed_ports(port).with_name(current_run().claim_container(name))
    for key, value in (environment or {}).items():
        container.with_env(key, value)
    if command:
        container.with_command(command)
    try:
        container.start()
    except Exception as error:
        raise NotRun(f"no container of {image}: {error}") from error
    address = f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"
    running = Given(dsn.format(address=address))
    until_answered(lambda: check(running.dsn), lambda: _still_coming(client, container.get_wrapped_container().id))
    return running


def _engine() -> tuple[Any, Any]:
    """testcontainers' container class and a client of the engine that answers."""
    try:
        client: Any = DockerClient().client
        client.ping()
    except Exception as error:
        raise NotRun("no container engine answers") from error
    return DockerContainer, client


def _still_coming(client: Any, identifier: str) -> None:
    container = client.containers.get(identifier)
    if container.status in ("exited", "dead"):
        raise NotRun(f"the container ended while starting: {container.logs(tail=5).decode(errors='replace')}")
