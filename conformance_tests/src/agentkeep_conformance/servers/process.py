"""One server process, which can be killed and started again."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from agentkeep_conformance.servers import guard

_RECORD_THEN_BECOME = 'echo $$ > "$0" && exec "$@"'
"""The process writes its number before it becomes the server: none can outlive its run unknown to the guard."""

_LOG_TAIL = 600


class Process:
    """A command that runs until it is killed, known to the guard from its first moment."""

    def __init__(self, command: Sequence[str], *, record: Path, log: Path, folder: Path) -> None:
        self._command = ["/bin/sh", "-c", _RECORD_THEN_BECOME, str(record), *command]
        self._record = record
        self._log = log
        self._folder = folder
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin it, unless it is running."""
        if self.alive():
            return
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def alive(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def kill(self) -> None:
        """As SIGKILL, with its children: only what is on the disk is left. Returns when all are gone."""
        if self._running is None:
            return
        guard.kill_recorded(self._record)
        self._running.wait()

    def last_words(self) -> str:
        """The end of its log, on one line."""
        if not self._log.exists():
            return "no log"
        return " ".join(self._log.read_text(errors="replace").split())[-_LOG_TAIL:]
