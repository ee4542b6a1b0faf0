"""What the deep families may ask of an enrolment besides `open` and `scan`. All of it is optional."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

from agentkeep import PersistenceAdapter


@dataclass(frozen=True)
class Given:
    """What an enrolment made over something of the caller's."""

    adapter: PersistenceAdapter
    usable: Callable[[], Awaitable[bool]]
    """Whether the caller's thing still works."""


class Hooks:
    """Inherited by every enrolment; a class attribute is the whole of most answers."""

    one_connection: ClassVar[dict[str, Any]] = {}
    """Options of `open` that leave the adapter one connection. Empty: it has no pool, or always one."""

    impatient: ClassVar[dict[str, Any]] = {}
    """Options of `open` that make a call give up after half a second or so. Empty: calls are given 90 seconds."""

    round_trips: ClassVar[dict[str, int]] = {}
    """What COST-1 allows this database instead of 1, where it has a wire: of "append", "append with ids", "read",
    and of "listing" (sessions), where it is more than a "read": an index that names them, then the sessions.

    "greeting": what its driver needs for each new connection before anything can be asked (none by default); it does
    not count against the 3 round trips of LIFE-1.
    """

    corpora: ClassVar[Sequence[Path]] = ()
    """What each release stored, in files that `agentkeep_conformance.corpus` made, oldest first."""

    def prepare(self, dsn: str, namespace: str) -> None:
        """Make a new namespace ready before anything opens it, where the adapter itself may not."""

    async def save_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        """Write what the database holds for the namespace, closed by all, as it is stored, into a file."""
        raise NotImplementedError

    async def load_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        """Put what such a file holds where an adapter of the namespace will find it, in a database without it."""
        raise NotImplementedError

    unmanaged: ClassVar[dict[str, Any]] = {}
    """Options of `open` under which an adapter creates and migrates nothing: its schema is somebody else's (LIFE-1)."""

    async def make_newer(self, dsn: str, namespace: str) -> None:
        """Mark the namespace's schema as one of a release to come."""
        raise NotImplementedError

    def over_given(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[Given]:
        """An adapter over a client, pool or engine that the caller made and will close (LIFE-2).

        Write it as `@asynccontextmanager async def … yield Given(adapter, usable)`.
        """
        raise NotImplementedError

    async def work(self, adapter: PersistenceAdapter, call: Callable[[], Awaitable[Any]]) -> int:
        """How much is done for a call on an opened adapter, in a unit that no clock and no load changes.

        By default the calls that Python makes in this thread. An embedded adapter whose database works elsewhere
        counts there: its virtual machine's steps, the rows that it read.
        """
        return await python_calls_of(call)


async def python_calls_of(call: Callable[[], Awaitable[Any]]) -> int:
    """The function calls of this thread, built-in ones too, while the call runs."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        await call()
    finally:
        sys.setprofile(before)
    return calls
