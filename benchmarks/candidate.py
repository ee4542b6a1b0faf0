"""What a candidate of the benchmark does. `make` of each module returns one: `ours`, `floors`, and those in `peers`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

FLOOR, OURS = "floor", "agentkeep"
USER = "u1"
LISTED = 20


class Candidate(Protocol):
    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def create(self, session: str) -> None: ...
    async def append(self, session: str, texts: Sequence[str]) -> None:
        """Append user messages. Raises whatever it raises if it refuses them."""
        ...

    async def newest(self, session: str, limit: int) -> list[str]:
        """Content of the newest messages, oldest first."""
        ...

    async def listing(self) -> int:
        """Read the user's `LISTED` newest sessions whole; how many came. Raises `NotImplementedError`."""
        ...


@runtime_checkable
class Resumes(Candidate, Protocol):
    """The floors and Agentkeep also begin a request."""

    async def resume(self, session: str, limit: int) -> list[str]:
        """Read the session whole, and content of its newest messages, oldest first, in the fewest round trips."""
        ...


def make(name: str, backend: str, url: str, namespace: str) -> Candidate:
    """`name`: "floor", "agentkeep", or that of a module in `peers`. `url` is the server's, or a folder for SQLite."""
    modules = {FLOOR: "floors", OURS: "ours"}
    module: Any = import_module(modules.get(name) or f"peers.{name.replace('-', '_')}")
    return module.make(backend, url, namespace)


async def fill(candidate: Candidate, session: str, length: int, text: str) -> None:
    """Append until the session has `length` messages."""
    for start in range(0, length, 500):
        await candidate.append(session, [text] * min(500, length - start))
