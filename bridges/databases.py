"""The databases that every bridge is tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentkeep_conformance import servers
from agentkeep_conformance.servers import Server

SERVERS: dict[str, Server] = {
    "postgres": servers.POSTGRES,
    "redis": servers.REDIS_ALWAYS,
    "mongo": servers.MONGO_STANDALONE,
    "opensearch": servers.OPENSEARCH,
}
"""Those that keep what they acknowledged when they are killed."""


@dataclass(frozen=True)
class Database:
    """One that other processes can connect to; empty at first."""

    url: str
    kill: Callable[[], None]
    restart: Callable[[], None]
