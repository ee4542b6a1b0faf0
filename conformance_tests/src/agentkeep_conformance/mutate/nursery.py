"""A process that has imported what all runs of the tests import, and forks a child for each run.

Importing pytest and the suite takes longer than most mutants live. Run as a program: it reads a request in JSON a line,
and answers with the child's number and, when the child has ended, with its exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

LIBRARIES = ["anyio.pytest_plugin", "trio", "msgspec", "psutil"]
SUITE = ["agentkeep_conformance.suite", "agentkeep_conformance.plugin"]
"""Not for mutants of core, which the suite imports. For this reason this file imports nothing of ours."""


class Nursery:
    """Where one thread has its runs, one after the other."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-B", __file__, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._child = 0

    def run(self, request: dict[str, Any]) -> int:
        """The exit code of a child; see `_child`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        self._child = int(self._process.stdout.readline())
        code = int(self._process.stdout.readline())
        self.kill_child()
        return code

    def kill_child(self) -> None:
        """The child and all that it started in its session."""
        if self._child:
            with suppress(ProcessLookupError):
                os.killpg(self._child, signal.SIGKILL)

    def close(self) -> None:
        self.kill_child()
        self._process.kill()
        self._process.communicate()


def main(modules: Sequence[str]) -> None:
    for name in modules:
        importlib.import_module(name)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _child(json.loads(line))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _child(request: dict[str, Any]) -> None:
    """Run pytest with `arguments`, with `path` first among what is imported, output to `log`, for `seconds` at most."""
    os.setsid()
    signal.alarm(request["seconds"])
    os.environ |= request["environment"]
    sys.path.insert(0, request["path"])
    output = os.open(request["log"], os.O_WRONLY | os.O_CREAT)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 1
    try:
        code = int(pytest.main(request["arguments"]))
        sys.stdout.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
