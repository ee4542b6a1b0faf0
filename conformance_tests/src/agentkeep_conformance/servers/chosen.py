"""Which server a test gets: the user's URL, a container, or a program of this machine."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol, cast, get_args
from urllib.parse import urlsplit

from agentkeep_conformance.servers.model import NotRun, Server, Source


class Running(Protocol):
    """A server that answers."""

    dsn: str

    def kill(self, node: int | None) -> None:
        """See `Server.kill`."""
        ...

    def restart(self) -> None:
        """See `Server.restart`."""
        ...


class Recipe(Protocol):
    """How one database in one topology is reached and started."""

    def check(self, dsn: str) -> str:
        """The version, by a real query on a fresh connection. Raises what the client raises."""
        ...

    def in_container(self) -> Running:
        """Start it in a container and wait until it answers. Raises `NotRun`."""
        ...

    def native(self) -> Running:
        """Start it from programs of this machine and wait until it answers. Raises `NotRun`."""
        ...


class UrlServer:
    """A server behind a URL that the user gave: not ours to kill."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def kill(self, node: int | None) -> None:
        raise NotRun("a server that was given by its URL is not ours to kill")

    def restart(self) -> None:
        raise NotRun("a server that was given by its URL is not ours to restart")


class ChosenServer:
    """A `Server`, chosen and started at the first use, once a test run. A failed start is not tried again."""

    embedded = False

    def __init__(self, name: str, load: Callable[[], Recipe]) -> None:
        """`load` imports the recipe with its client, at the first use and never before."""
        self.name = name
        self._load = load
        self._starting = threading.Lock()
        self._running: Running | None = None
        self._not_run: str | None = None
        self._source: Source | None = None

    @property
    def source(self) -> Source:
        """Where it came from; starts it. Raises `NotRun`."""
        self._started()
        return cast("Source", self._source)

    @property
    def dsn(self) -> str:
        return self._started().dsn

    @property
    def address(self) -> tuple[str, int]:
        return address_of(self.dsn)

    def version(self) -> str:
        return self._load().check(self.dsn)

    def kill(self, node: int | None = None) -> None:
        self._started().kill(node)

    def restart(self) -> None:
        self._started().restart()

    def _started(self) -> Running:
        with self._starting:
            if self._running is None:
                self._running = self._start()
            return self._running

    def _start(self) -> Running:
        if self._not_run is not None:
            raise NotRun(self._not_run)
        reasons: list[str] = []
        for source in _sources(self._variable()):
            try:
                running = self._from(source)
            except NotRun as reason:
                reasons.append(f"{source}: {reason}")
            else:
                self._source = source
                return running
        self._not_run = f"{self.name}: {'; '.join(reasons)}"
        raise NotRun(self._not_run)

    def _variable(self) -> str:
        return f"AGENTKEEP_TEST_{self.name.upper()}_URL"

    def _from(self, source: Source) -> Running:
        dsn = os.environ.get(self._variable())
        if source == "url" and not dsn:
            raise NotRun(f"{self._variable()} is not set")
        try:
            recipe = self._load()
        except ImportError as error:
            raise NotRun(f'{error.name} is missing: pip install "agentkeep-conformance[servers]"') from error
        if source == "native":
            return recipe.native()
        return self._given(recipe, dsn) if source == "url" and dsn else recipe.in_container()

    def _given(self, recipe: Recipe, dsn: str) -> Running:
        try:
            recipe.check(dsn)
        except Exception as error:
            where = "{}:{}".format(*address_of(dsn))
            raise NotRun(f"{self._variable()}: {where} does not answer ({type(error).__name__})") from error
        return UrlServer(dsn)


def check_ours(server: Server) -> None:
    """Raises `NotRun` if a test must not change the settings of a whole server, because the user gave it by its URL."""
    if isinstance(server, ChosenServer) and server.source == "url":
        raise NotRun("a server that was given by its URL is not ours to change")


def _sources(variable: str) -> tuple[Source, ...]:
    """What to try, in this order. A URL that is set is an order: nothing else is tried in its place."""
    known: tuple[Source, ...] = get_args(Source)
    forced = os.environ.get("AGENTKEEP_TEST_SERVERS")
    if forced:
        if forced not in known:
            raise ValueError(f"AGENTKEEP_TEST_SERVERS is {forced!r}; it may be {', '.join(known)}")
        return (forced,)
    return ("url",) if os.environ.get(variable) else known


def address_of(dsn: str) -> tuple[str, int]:
    """Host and port of a URL, of the first of several."""
    parts = urlsplit(dsn)
    first = parts.netloc.rpartition("@")[2].partition(",")[0]
    host, _, port = first.rpartition(":")
    if not port.isdigit():
        host, port = first, str(_PORTS[parts.scheme.partition("+")[0]])
    return host.strip("[]"), int(port)


_PORTS = {
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
    "mongodb": 27017,
    "opensearch": 9200,
    "opensearchs": 9200,
    "http": 80,
    "https": 443,
}
