"""What a server is to a test, wherever it comes from."""

from __future__ import annotations

from typing import Literal, Protocol

Source = Literal["url", "containers", "native"]
"""In the order of choice: a URL that the user gave, a container, a program on this machine."""


class NotRun(Exception):
    """The server is not there, and why. The adapter's clauses stand as NOT RUN."""


class Server(Protocol):
    """A database server for one test run."""

    @property
    def name(self) -> str: ...

    @property
    def embedded(self) -> bool:
        """True for a database inside our process: no server, no wire. Never starts anything."""
        ...

    @property
    def dsn(self) -> str:
        """Its URL; starts it at the first use. Raises `NotRun`."""
        ...

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens (of several nodes, the first); None where embedded. Starts it, raises `NotRun`."""
        ...

    def version(self) -> str:
        """What it answers to a query for its version. Raises `NotRun`."""
        ...

    def kill(self, node: int | None = None) -> None:
        """End its processes as SIGKILL does, of every node or of one (from 0), and return when they are gone.

        Raises `NotRun` for a server that was given by its URL.
        """
        ...

    def restart(self) -> None:
        """Start what was killed again, on the same port with the data it left; returns when it answers a query."""
        ...


class _Embedded:
    """No server: the database lives in the adapter's process. Each test's dsn is a fresh directory."""

    name = "embedded"
    embedded = True
    dsn = ""
    address = None

    def version(self) -> str:
        return ""

    def kill(self, node: int | None = None) -> None:
        raise NotRun("an embedded database has no process of its own")

    def restart(self) -> None:
        raise NotRun("an embedded database has no process of its own")


EMBEDDED: Server = _Embedded()
