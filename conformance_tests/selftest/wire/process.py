"""Starts, kills and restarts the toy server for a test run."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
from pathlib import Path


class WireServer:
    """A server process of this test run, started at the first use; its data is in a temporary folder."""

    name = "wire"
    embedded = False

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._data: tempfile.TemporaryDirectory[str] | None = None
        self._port = 0

    @property
    def address(self) -> tuple[str, int]:
        if self._process is None:
            self.restart()
        return "127.0.0.1", self._port

    @property
    def dsn(self) -> str:
        return "wire://{}:{}".format(*self.address)

    def version(self) -> str:
        return "0.1"

    def kill(self, node: int | None = None) -> None:
        """SIGKILL: nothing is flushed, nothing said."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def restart(self) -> None:
        """Start it, on the port and the data that it had."""
        if self._data is None:
            self._data = tempfile.TemporaryDirectory(prefix="agentkeep-wire-")
            atexit.register(self.stop)
        here = Path(__file__).resolve().parent.parent
        self._process = subprocess.Popen(
            [sys.executable, "-m", "wire.server", self._data.name, str(self._port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(here)},
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())

    def stop(self) -> None:
        """End it and remove its data."""
        self.kill()
        if self._data is not None:
            self._data.cleanup()
