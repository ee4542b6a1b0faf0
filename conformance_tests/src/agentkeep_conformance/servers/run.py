"""The folder of one test run: its servers' data, logs and process numbers, and the guard that removes them."""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from agentkeep_conformance.servers import guard
from agentkeep_conformance.servers.model import NotRun
from agentkeep_conformance.servers.process import Process
from agentkeep_conformance.servers.programs import as_user

_GUARD_ENDS_WITHIN = 60.0


class Run:
    """Everything that the servers of one process leave on this machine."""

    def __init__(self, parent: Path) -> None:
        """Remove what dead runs left below `parent`, and begin one of our own."""
        _remove_dead(parent)
        started = int(psutil.Process().create_time())
        self.folder = parent / f"run-{os.getpid()}-{started}-{secrets.token_hex(4)}"
        self.password = secrets.token_hex(12)
        for folder in (self.folder, self.folder / "pids", self.folder / "logs", self.folder / "containers"):
            folder.mkdir(mode=0o711)
        self._owner = os.getpid()
        self._processes: list[Process] = []
        self._guard = subprocess.Popen(
            [sys.executable, "-P", guard.__file__, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end(self) -> None:
        """Stop every server and remove everything; the guard does it, as it would had we crashed.

        In a forked child nothing but its copies of our handles ends.
        """
        if self._guard.stdin is None or self._guard.stdin.closed:
            return
        self._guard.stdin.close()
        if os.getpid() == self._owner:
            self._guard.wait(_GUARD_ENDS_WITHIN)
        # Who is never asked after counts as still running, and Python warns of it.
        self._guard.poll()
        for process in self._processes:
            process.alive()

    def data(self, name: str, *, user: str | None = None) -> Path:
        """A fresh folder for a server's files, owned by `user`."""
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        if user is not None:
            shutil.chown(folder, user)
        return folder

    def process(self, name: str, command: Sequence[str], *, user: str | None = None) -> Process:
        """A server's process, started; its output goes to a log in the run's folder."""
        process = Process(
            [*as_user(user), *command],
            record=self.folder / "pids" / name,
            log=self.folder / "logs" / f"{name}.log",
            folder=self.folder,
        )
        process.start()
        self._processes.append(process)
        return process

    def claim_container(self, name: str) -> str:
        """A name for a container, known to the guard before the container is."""
        claimed = f"agentkeep-{name.replace('_', '-')}-{secrets.token_hex(4)}"
        (self.folder / "containers" / claimed).touch()
        return claimed


_runs: dict[int, Run] = {}


def current_run() -> Run:
    """This process's run, started at the first call; ended with the process. Raises `NotRun` if there can be none."""
    if os.name != "posix":
        raise NotRun("servers are started by us on POSIX systems only: give a URL")
    if os.getpid() not in _runs:
        parent = Path(tempfile.gettempdir()) / f"agentkeep-servers-{os.getuid()}"
        parent.mkdir(mode=0o711, exist_ok=True)
        if parent.stat().st_uid != os.getuid():
            raise NotRun(f"{parent} belongs to another user")
        run = _runs[os.getpid()] = Run(parent)
        atexit.register(run.end)
    return _runs[os.getpid()]


def _remove_dead(parent: Path) -> None:
    for folder in parent.glob("run-*"):
        if guard.owner_of(folder) is None:
            guard.clean(folder)


_PORTS = range(20_000, 32_000)
"""Below those that the kernel uses for outgoing connections, so that a killed server finds its own free again."""


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on."""
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            port = random.choice(_PORTS)
            with contextlib.suppress(OSError):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
                found.append(port)
    return found
