"""Ends a test run's servers and removes what they left, however the run itself ended.

Run as a program with a run's folder: it waits until its standard input closes or the run's process is gone, then cleans
up. It sits in a session of its own, so Ctrl-C does not reach it. It knows the processes from `FOLDER/pids/`, where each
writes its own number before it becomes the server, and the containers from `FOLDER/containers/`.
"""

from __future__ import annotations

import contextlib
import select
import shutil
import signal
import sys
import time
from pathlib import Path

import psutil

GRACE = 15.0
"""Seconds that a server has to end by itself, so that it frees shared memory, before it is killed."""

_POLL = 0.02
_OWNER_POLL = 0.5
_CLOCK_SLACK = 2.0


def owner_of(folder: Path) -> psutil.Process | None:
    """The living process that the run belongs to; None when it is gone. The folder is called run-PID-STARTED-….

    A process's start is counted from the machine's, which moves when the clock is set.
    """
    _, pid, started, *_ = folder.name.split("-")
    try:
        process = psutil.Process(int(pid))
        return process if abs(process.create_time() - int(started)) < _CLOCK_SLACK else None
    except psutil.NoSuchProcess:
        return None


def processes_of(folder: Path) -> list[psutil.Process]:
    """The run's living servers with their children."""
    found: list[psutil.Process] = []
    for record in sorted((folder / "pids").glob("*")):
        found += recorded(record)
    return found


def recorded(record: Path) -> list[psutil.Process]:
    """A living server with its children, from the file that it wrote its number to.

    A process that began after the file was written has only inherited the number and is left alone.
    """
    with contextlib.suppress(psutil.Error, OSError, ValueError):
        process = psutil.Process(int(record.read_text()))
        if process.create_time() <= record.stat().st_mtime + _CLOCK_SLACK:
            return [*process.children(recursive=True), process]
    return []


def kill(processes: list[psutil.Process]) -> None:
    """As SIGKILL; returns when they are gone."""
    _send(signal.SIGKILL, processes)
    _gone(processes)


def kill_recorded(record: Path) -> None:
    """As SIGKILL for a server and its children; returns when they are gone.

    The server is stopped first. PostgreSQL starts anew when it sees a child die, and a child that begins between the
    look and the kill would live on with its shared memory, so that the server could not be started again.
    """
    for server in recorded(record)[-1:]:
        with contextlib.suppress(psutil.NoSuchProcess):
            server.suspend()
    kill(recorded(record))


def clean(folder: Path) -> None:
    """End all that the run started and remove its folder."""
    processes = processes_of(folder)
    _send(signal.SIGINT, processes)
    if not _gone(processes):
        kill([*processes, *processes_of(folder)])
    _remove_containers(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _send(number: signal.Signals, processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _gone(processes: list[psutil.Process]) -> bool:
    """Wait for their end, at most `GRACE`. Who ended but was not yet asked after by its parent has ended."""
    deadline = time.monotonic() + GRACE
    while any(map(is_alive, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; who ended but was not yet asked after by its parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _remove_containers(folder: Path) -> None:
    names = [record.name for record in (folder / "containers").glob("*")]
    if not names:
        return
    from testcontainers.core.docker_client import DockerClient

    with contextlib.suppress(Exception):
        containers = DockerClient().client.containers
        for found in containers.list(all=True, filters={"name": names}):
            found.remove(force=True, v=True)


def main() -> None:
    folder = Path(sys.argv[1])
    while owner_of(folder) is not None and not select.select([sys.stdin], [], [], _OWNER_POLL)[0]:
        pass
    clean(folder)


if __name__ == "__main__":
    main()
