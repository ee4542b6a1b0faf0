"""Where the suite's databases come from."""

from __future__ import annotations

from typing import Protocol


class NotRun(Exception):
    """The server is not there, and why. The adapter's clauses stand as NOT RUN."""


class Server(Protocol):
    """A database server for one test run."""

    @property
    def name(self) -> str: ...

    @property
    def dsn(self) -> str:
        """Its URL; starts it at the first use. Raises `NotRun`."""
        ...

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens; None for a database inside our process."""
        ...


class _Embedded:
    """No server: the database lives in the adapter's process. Each test's dsn is a fresh directory."""

    name = "embedded"
    dsn = ""
    address = None


EMBEDDED: Server = _Embedded()
