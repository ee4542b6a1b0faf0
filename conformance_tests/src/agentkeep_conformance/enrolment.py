"""What an adapter's author tells the suite: how to open the adapter, and which hooks and limits it has.

Nothing here knows a test. `agentkeep_conformance.suite` adds the tests.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, Literal

from agentkeep import PersistenceAdapter
from agentkeep.capabilities import Durability

from agentkeep_conformance.servers.model import EMBEDDED, Server

Tier = Literal["everyday", "nightly"]


@dataclass(frozen=True)
class KnownFailure:
    """A test that is known to fail. Strict: once it passes, or after `expires`, it fails the run."""

    reason: str
    issue: str
    """A link."""
    expires: date


@dataclass(frozen=True)
class OverClient:
    """An adapter over a client, pool or engine that belongs to the caller."""

    adapter: PersistenceAdapter
    client_works: Callable[[], Awaitable[bool]]
    """Whether the caller's client still works."""
    taken: Callable[[], int] | None = None
    """How many of the client's connections are in use, if it tells."""


@dataclass(frozen=True)
class Trouble:
    """Something that an operator or a machine does to a database while calls run."""

    dsn: str
    """With which to open the adapter. It names another user than the suite's if the trouble meets that user alone."""
    during: Callable[[], AbstractAsyncContextManager[None]]
    """The trouble lasts as long as this block."""


class Enrolment:
    """Only `open` is required. A class attribute answers most of the rest."""

    server: ClassVar[Server] = EMBEDDED
    """The database server. The default is for a database inside the process."""

    known_failures: ClassVar[dict[str, KnownFailure]] = {}
    """By the test's name, with `[parameter]` if it has one."""

    families: ClassVar[Collection[str]] = ()
    """The families that this enrolment runs, such as "searching". Empty: all of them."""

    nightly_runs_all: ClassVar[bool] = False
    """True: the nightly tier, and a command that names this class, run every family whatever `families` says."""

    everyday: ClassVar[bool] = True
    """False: run only with `--require all`, in the nightly tier, and if the command names this class."""

    one_in: ClassVar[int] = 1
    """More than 1: of so many tests the everyday tier runs one, drawn by the seed and this class's name.

    If `everyday` is true, the first test of each clause that has none drawn is run too.

    The nightly tier, `agentkeep-conformance run`, and a command that names this class run all of them.
    """

    one_of_each: ClassVar[bool] = False
    """True: the sample has one case of each test at least, and every case of cheap tests (`sampling.py`)."""

    draws_long_tests: ClassVar[bool] = True
    """False: the sample has tests that are marked `takes_long` only for a clause that no other test has.

    For a further topology of a server whose sample, or whole suite, has such tests already.
    """

    wire: ClassVar[Literal["with", "without", "only"]] = "with"
    """Whether it runs the tests that act on the wire. "without" is for a topology that a proxy can't stand before."""

    without: ClassVar[Collection[str]] = ()
    """Hooks that this enrolment inherits and can't offer, such as "make_read_only". Their tests are n/a."""

    one_loop: ClassVar[bool] = False
    """True: all instances of a namespace share one client of the caller's, which belongs to one event loop."""

    one_connection: ClassVar[dict[str, Any]] = {}
    """Options of `open` that leave the adapter one connection. Empty: it has no pool, or always one connection."""

    short_timeout: ClassVar[dict[str, Any]] = {}
    """Options of `open` that make a call give up after half a second or so. Empty: a call may take 90 seconds."""

    renews_silent_connections: ClassVar[bool] = False
    """True: after a connection that died unheard a read goes out over a new one. Some drivers can't be told to."""

    round_trips: ClassVar[dict[str, int]] = {}
    """What COST-1 allows this database instead of 1, if it has a wire: for "append", "append with ids", "read",
    "append with create" (of an absent session), if that needs more than an "append", and "listing" (sessions), if that
    needs more than a "read": an index that names them, then the sessions.

    "greeting": what its driver needs for each new connection before it can send a call (0 by default). It does not
    count against the 3 round trips of LIFE-1.
    """

    small_steps: ClassVar[dict[str, int]] = {}
    """Small values for the adapter's own limits after which it works in another step or in another way, as
    {"agentkeep_sqlite.listing.COUNT_STEP": 1}. Some of the random programs run with these."""

    other_options: ClassVar[dict[str, Any]] = {}
    """Options of `open` that change how it stores or asks, and nothing that a call means. Some tests open an instance
    with these beside one without."""

    has_schema: ClassVar[bool] = False
    """True: `open` takes `manage_schema=False`, and then the adapter creates and migrates nothing (LIFE-1)."""

    corpora: ClassVar[Sequence[Path]] = ()
    """What each release stored, in files that `agentkeep_conformance.corpus` made, oldest first."""

    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        """A new adapter, not opened. Its data is empty for each new `namespace`.

        `dsn`: the server's URL; the path of a fresh directory if `server` is EMBEDDED. `namespace`: short, of
        [a-z0-9_], for use as the prefix or schema. Two adapters of one namespace see the same data. `options`: the
        suite passes `clock` if `capabilities.server_clock` is False, and no option that the adapter does not have.
        """
        raise NotImplementedError

    def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes] | None:
        """Every byte string that the whole database stores, of all namespaces, read without the adapter.

        Write it as `async def … yield`. Without it no test can show that removed data is gone.
        """
        return None

    async def records(self, dsn: str, namespace: str) -> int | None:
        """How many rows, documents or keys the database holds for the namespace, read without the adapter.

        What describes the schema is not counted, nor what the database itself keeps for an index.
        None: no test can show that a removed session leaves no record without a text.
        """
        return None

    async def settle(self, dsn: str, namespace: str) -> None:
        """Do now what happens by itself after a while: the database empties its write-ahead log, leftovers grow old.

        It comes before a scan for what was cut off or replaced. Of what was deleted, redacted or swept nothing may be
        left before that either (SES-6, TTL-2).
        """

    async def drop(self, dsn: str, namespace: str) -> None:
        """Remove the namespace after a test, if the server outlives the run."""

    async def empty(self, dsn: str, namespace: str) -> bool:
        """Instead of `drop`: remove all data of the namespace and keep its schema. Every adapter on it is closed.

        Then the suite gives the namespace to a later test, which saves the time to create a schema. False: the
        namespace can't be used again, and `drop` follows. Tests that need a new namespace always get one.
        """
        return False

    def prepare(self, dsn: str, namespace: str) -> None:
        """Make a new namespace ready before anything opens it, if the adapter itself may not."""

    async def copy_schema(self, dsn: str, namespace: str) -> None:
        """Put a copy of an empty schema that an adapter made earlier into a new namespace, if that saves time.

        The suite asks for it before a test that does not need to create the schema itself.
        """

    async def save_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        """Write what the database stores for the namespace into a file. Every adapter on it is closed."""
        raise NotImplementedError

    async def load_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        """Put what such a file holds where an adapter of the namespace finds it, in a database without it."""
        raise NotImplementedError

    async def store_schema_version(self, dsn: str, namespace: str, version: int, oldest: int) -> None:
        """Store these as the schema's version and as the oldest version that may still use it (LIFE-4)."""
        raise NotImplementedError

    def over_client(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[OverClient]:
        """An adapter over a client, pool or engine that the caller made and will close (LIFE-2).

        Write it as `@asynccontextmanager async def … yield OverClient(adapter, client_works)`.
        """
        raise NotImplementedError

    def refuse_writes(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[Trouble]:
        """The server refuses every write for good: a right is taken away, or a rule of the owner forbids it.

        Write each hook of this kind as `@asynccontextmanager async def … yield Trouble(dsn, during)`. The namespace
        has its schema by then. Reads work on.
        """
        raise NotImplementedError

    def make_read_only(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[Trouble]:
        """The server takes no writes for now, as a replica, or as a primary that hands over. Reads work on."""
        raise NotImplementedError

    def stop_writes(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        """The server takes no writes for now, for one reason after the other: replicas are away, a disk fails.

        Write it as `async def … yield`. Reads work on.
        """
        raise NotImplementedError

    def fill(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[Trouble]:
        """The server has no room for more: its disk or its memory is full. Reads work on."""
        raise NotImplementedError

    def hold_writes(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[Trouble]:
        """Every write waits at the server until the trouble ends: somebody holds a lock, or the server has paused."""
        raise NotImplementedError

    def hold_commits(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[Trouble]:
        """Every write does its work, with the locks that it takes, and then waits before its commit until the end."""
        raise NotImplementedError

    def roll_back_once(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[Trouble]:
        """The server rolls back the first write in each trouble, because of another transaction."""
        raise NotImplementedError

    def serializable(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[str]:
        """The URL of a user whose transactions run at the server's strictest isolation, unless they say otherwise."""
        raise NotImplementedError

    def durabilities(self, dsn: str, namespace: str) -> AsyncGenerator[tuple[Durability, PersistenceAdapter]]:
        """Each setting of the server that changes what outlives a crash: the grade that it gives, and a new adapter.

        Write it as `async def … yield`. A setting lasts until the next one, and at the end all is as it was.
        """
        raise NotImplementedError

    async def work(self, adapter: PersistenceAdapter, call: Callable[[], Awaitable[Any]]) -> int:
        """How much is done for a call on an opened adapter, in a unit that neither a clock nor load changes.

        By default the calls that Python makes in this thread. An embedded adapter whose database works elsewhere
        counts there: the steps of its virtual machine, the rows that it read.
        """
        return await python_calls_of(call)

    async def longest_step(self, adapter: PersistenceAdapter, call: Callable[[], Awaitable[Any]]) -> int:
        """The most that is done for a call while no other call gets its turn, in the unit of `work`.

        What the call leaves to be done in the background, as it runs, is part of it.
        """
        raise NotImplementedError

    async def server_work(self, dsn: str, namespace: str) -> int:
        """How much the server says that it has done so far, for the namespace or in all: rows read, commands run.

        It counts what is settled; a server may tell of a call a second after the call's connection ran the next one.
        """
        raise NotImplementedError

    server_tells_after: ClassVar[float] = 0.0
    """Seconds after which a further call on the same connection makes `server_work` tell of all calls before."""


def name_of(enrolment: type[Enrolment]) -> str:
    """The adapter's name in tables and evidence: `TestSqlite` is sqlite."""
    return enrolment.__name__.removeprefix("Test").lower()


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


def released(folder: Path) -> list[Path]:
    """The corpora of a folder, oldest release first, for an enrolment's `corpora`."""
    files = folder.glob("*.stored")
    return sorted(files, key=lambda file: [int(part) for part in file.stem.split(".")])
