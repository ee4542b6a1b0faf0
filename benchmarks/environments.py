"""Other toolkits that keep conversations, each in an environment of its own and with its newest release.

A module in `peers` is a candidate that uses one toolkit as its documentation shows. It imports nothing of Agentkeep.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
UV = ROOT / ".tools" / "uv" / "bin" / "uv"


class Peer(NamedTuple):
    package: str
    requirements: tuple[str, ...]
    backends: tuple[str, ...]


PEERS: dict[str, Peer] = {
    "openai-agents": Peer(
        "openai-agents", ("openai-agents[sqlalchemy,redis]", "aiosqlite", "asyncpg"), ("sqlite", "redis", "postgres")
    ),
}


def environment(name: str) -> str:
    """Make the peer's environment if it is not there, and return its Python."""
    folder = ROOT / ".tools" / "peers" / name
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([str(UV), "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)  # noqa: S603
        install = [str(UV), "pip", "install", "--quiet", "--python", str(python), *PEERS[name].requirements]
        subprocess.run(install, check=True)  # noqa: S603 - our own list
    return str(python)


def version_of(name: str) -> str:
    """The release of the peer's package in its environment."""
    command = [environment(name), "-c", f"import importlib.metadata as m; print(m.version({PEERS[name].package!r}))"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()  # noqa: S603
