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


SQL = ("sqlite", "postgres")
PEERS: dict[str, Peer] = {
    "openai-agents": Peer(
        "openai-agents", ("openai-agents[sqlalchemy,redis]", "aiosqlite", "asyncpg"), ("sqlite", "redis", "postgres")
    ),
    "google-adk": Peer("google-adk", ("google-adk", "sqlalchemy[asyncio]", "aiosqlite", "asyncpg"), SQL),
    "langgraph": Peer(
        "langgraph",
        ("langgraph", "langgraph-checkpoint-sqlite", "langgraph-checkpoint-postgres", "psycopg[binary,pool]"),
        SQL,
    ),
    "langchain": Peer(
        "langchain-community", ("langchain-community", "langchain-postgres", "aiosqlite", "psycopg[binary]"), SQL
    ),
    "agno": Peer(
        "agno",
        ("agno", "sqlalchemy[asyncio]", "aiosqlite", "asyncpg", "psycopg[binary]", "redis"),
        ("sqlite", "redis", "postgres"),
    ),
    "llama-index": Peer("llama-index-core", ("llama-index-core", "aiosqlite", "asyncpg"), SQL),
}
"""On Redis, LangChain's and LangGraph's packages need modules that a plain Redis does not have."""


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
