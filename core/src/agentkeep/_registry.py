"""Finds a URL's adapter: its scheme is an entry point of the group `agentkeep.adapters`, in any installed package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from agentkeep.errors import AdapterNotInstalled, ConfigurationError
from agentkeep.protocol import AdapterFactory, CreatesDatabases, PersistenceAdapter
from agentkeep.spi.urls import redact

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "agentkeep.adapters"

_OURS = {
    "memory": "memory",
    "sqlite": "sqlite",
    "postgresql": "postgres",
    "postgres": "postgres",
    "redis": "redis",
    "rediss": "redis",
    "mongodb": "mongo",
    "opensearch": "opensearch",
    "opensearchs": "opensearch",
}
"""URL scheme to the extra that installs its adapter."""


@cache
def installed_adapters() -> Mapping[str, EntryPoint]:
    """The entry points of the adapters installed here, by URL scheme."""
    from importlib.metadata import entry_points  # slow to import, and only needed once a URL is looked up

    return {entry.name: entry for entry in entry_points(group=GROUP)}


def adapter_for(url: str, options: Mapping[str, Any], *, create: bool = True) -> PersistenceAdapter:
    """The adapter of a URL, not opened yet. Without `create` its `open` makes no database.

    Raises `ConfigurationError`, `AdapterNotInstalled`.
    """
    factory = _factory(url)
    if not create and isinstance(factory, CreatesDatabases):
        options = {**options, **factory.open_existing}
    return factory.from_url(url, **options)


def _factory(url: str) -> AdapterFactory:
    """By the URL's scheme. A suffix of it (`postgresql+asyncpg`) means something to the adapter alone."""
    scheme = _scheme(url)
    installed = installed_adapters()
    entry = installed.get(scheme) or installed.get(scheme.partition("+")[0])
    if entry is None:
        raise _not_installed(scheme, url, installed)
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise AdapterNotInstalled(f"the adapter for {scheme}:// can't be imported: {error}") from error


def _scheme(url: object) -> str:
    if not isinstance(url, str):
        raise ConfigurationError(
            f"the URL is of type {type(url).__name__}: give a string such as sqlite:///chat.db; "
            "give an engine or client of your own to its adapter: Keep(SQLiteAdapter(engine))"
        )
    if not url:
        raise ConfigurationError("the URL is empty: give one such as sqlite:///chat.db")
    scheme, separator, _ = url.partition("://")
    if not separator or not scheme:
        raise ConfigurationError(f"{redact(url)!r} is not a URL: give one such as sqlite:///chat.db or memory://")
    return scheme.lower()


def _not_installed(scheme: str, url: str, installed: Mapping[str, EntryPoint]) -> ConfigurationError:
    extra = _OURS.get(scheme) or _OURS.get(scheme.partition("+")[0])
    if extra is not None:
        return AdapterNotInstalled(f'no adapter for {scheme}:// is installed: pip install "agentkeep[{extra}]"')
    known = ", ".join(f"{name}://" for name in sorted({*_OURS, *installed}))
    return AdapterNotInstalled(
        f"no installed package has an adapter for {scheme}://, and neither has Agentkeep (it has {known}): "
        f"pip install the package that has it, or correct the URL {redact(url)!r}"
    )
