"""Runs the commands: in this process (fast, on a SQLite file), and as the installed script (for signals and pipes)."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from agentkeep.cli.app import app
from typer.testing import CliRunner

SCRIPT = Path(sys.executable).with_name("agentkeep")
BOUND = 30.0
"""Seconds after which something that should have happened has not."""
REPOSITORY = Path(__file__).parents[3]


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    def lines(self) -> list[Any]:
        """The JSON lines of its output."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


def without_versions(export: str) -> str:
    """An export without what an import does not restore: no version is given to two lives of an id (SES-2)."""
    return re.sub(r'"version":\d+', '"version":0', export)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder and an empty home, so that nothing of the developer's is read or written."""
    home = tmp_path / "home"
    home.mkdir()
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("AGENTKEEP_URL", "sqlite:///chat.db")
    return work


@pytest.fixture
def run() -> Run:
    """Run a command in this process."""

    def call(*arguments: str, text: str | None = None) -> Ran:
        result = CliRunner().invoke(app, list(arguments), input=text, prog_name="agentkeep")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def script() -> Run:
    """Run the installed script in a process of its own."""

    def call(*arguments: str, text: str | None = None, **environment: str) -> Ran:
        done = subprocess.run(
            [SCRIPT, *arguments],
            input=text,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, **environment},
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return call


def on_terminal(*arguments: str, answer: bytes = b"", width: int = 120) -> Ran:
    """Run the script with a terminal on all three streams; what it printed is `out`."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, width))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [SCRIPT, *arguments],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        env={**environment, "TERM": "xterm-256color"},
    )
    os.close(follower)
    os.write(leader, answer)
    chunks: list[bytes] = []
    while True:
        try:
            chunk = os.read(leader, 65_536)
        except OSError:
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(leader)
    return Ran(process.wait(BOUND), b"".join(chunks).decode(), "")


@pytest.fixture
def conversations(own_folder: Path) -> Callable[..., Path]:
    """Write a file of JSON lines."""

    def write(*values: Any, name: str = "talks.jsonl") -> Path:
        path = own_folder / name
        path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
        return path

    return write


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text}
