"""What the server says of itself: version and persistence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from agentkeep.capabilities import Durability
from redis.exceptions import ResponseError

from agentkeep_redis.driver import Command, Reply

SETTINGS: tuple[Command, ...] = (
    ("CONFIG", "GET", "*append*"),
    ("CONFIG", "GET", "maxmemory-policy"),
)
"""Patterns, because servers before 7 take one name at a time. An ACL, or a managed server, may refuse them."""

_SYNCED: Mapping[str, Durability] = {"always": "fsync", "everysec": "interval", "no": "os"}
"""By appendfsync. `no` writes to the file before the server replies, and leaves the disk to the system; `everysec` may
delay a write while an earlier one is on its way to the disk."""


class Persistence(NamedTuple):
    durability: Durability
    warnings: list[str]


def persistence_of(replies: list[Reply]) -> Persistence:
    """From the replies to `SETTINGS`. If something is unknown, the worst is assumed."""
    settings: dict[str, str] = {}
    for reply in replies:
        if isinstance(reply, ResponseError):
            return Persistence("process", ["CONFIG GET is refused, so it is unknown what survives a crash"])
        settings |= _texts(reply)
    durability: Durability = "process"
    if settings.get("appendonly") == "yes":
        durability = _SYNCED.get(settings.get("appendfsync", ""), "process")
        if durability == "fsync" and settings.get("no-appendfsync-on-rewrite") == "yes":
            durability = "interval"
    return Persistence(durability, [*_LOSSES[durability], *_evictions(settings.get("maxmemory-policy", "noeviction"))])


_LOSSES: Mapping[str, list[str]] = {
    "fsync": [],
    "process": ["a crash of the server loses what it has not saved yet: set appendonly yes and appendfsync always"],
    "interval": ["a crash of the server may lose its last moments: set appendfsync always"],
    "os": ["a power cut loses what the system has not written yet: set appendfsync always"],
}


def _evictions(policy: str) -> list[str]:
    if policy == "noeviction":
        return []
    return [f"maxmemory-policy is {policy}: when memory runs out the server removes parts of sessions; set noeviction"]


def _texts(reply: Any) -> dict[str, str]:
    """A map, which RESP2 sends as names and values in turn."""
    if isinstance(reply, Mapping):
        pairs = list(cast("Mapping[bytes, bytes]", reply).items())
    else:
        pairs = list(zip(reply[::2], reply[1::2], strict=True))
    return {name.decode(): value.decode() for name, value in pairs}


def _fields(info: bytes) -> dict[str, str]:
    lines = [line.partition(":") for line in info.decode().splitlines()]
    return {name: value for name, _, value in lines}


def role_warnings(reply: Reply) -> list[str]:
    """From the reply to INFO replication; none if that is refused."""
    if isinstance(reply, ResponseError) or _fields(reply).get("role") != "slave":
        return []
    return ["this server is a replica: it refuses writes and reads late; use its primary's address, or Sentinel's"]


def server_version_of(reply: Reply) -> str:
    """From the reply to INFO: "redis 7.0.15", "valkey 8.0.1"."""
    if isinstance(reply, ResponseError):
        return "redis of unknown version: INFO is refused"
    found = _fields(reply)
    if "valkey_version" in found:
        return f"valkey {found['valkey_version']}"
    return f"redis {found.get('redis_version', 'of unknown version')}"
