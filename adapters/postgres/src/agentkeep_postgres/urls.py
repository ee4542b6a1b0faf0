"""From a URL and options to an engine. It states each default of the driver and the pool."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

from agentkeep.errors import AdapterNotInstalled, ConfigurationError
from agentkeep.spi.options import Reader, as_bool, as_count, as_count_from_zero, as_is, as_prefix, as_seconds, one_of
from agentkeep.spi.urls import redact
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_DRIVERS = {"": "asyncpg", "asyncpg": "asyncpg", "psycopg": "psycopg", "psycopg_async": "psycopg"}
_UNBOUNDED_SECONDS = 86_400
"""For the wait for a connection: the deadline of the call ends it earlier."""
_INSTALL = {
    "asyncpg": 'pip install "agentkeep[postgres]"',
    "psycopg": 'pip install "agentkeep-postgres[psycopg]"',
}
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


ENGINE_OPTIONS: Mapping[str, Reader] = {
    "pool_size": as_count,
    "max_overflow": as_count_from_zero,
    "connect_timeout": as_seconds,
    "sslmode": one_of(*_SSL_MODES),
    "host": as_is,
    "application_name": as_is,
}
ADAPTER_OPTIONS: Mapping[str, Reader] = {
    "timeout": as_seconds,
    "schema": as_prefix,
    "prefix": as_prefix,
    "manage_schema": as_bool,
    "pgbouncer": lambda name, value: None if str(value).lower() == "auto" else as_bool(name, value),
}


class QuietAsyncpg(PGDialect_asyncpg):
    """SQLAlchemy's dialect without the queries that it runs on each new connection: we don't use their results."""

    supports_statement_cache = True

    def initialize(self, connection: Connection) -> None:
        """Run no query."""

    def on_connect(self) -> Any:
        return _run_no_query


class QuietPsycopg(PGDialectAsync_psycopg):
    """As `QuietAsyncpg`."""

    supports_statement_cache = True

    @classmethod
    def get_async_dialect_cls(cls, url: URL) -> type[QuietPsycopg]:
        """This class; SQLAlchemy would take its own."""
        return cls

    def initialize(self, connection: Connection) -> None:
        """Run no query."""

    def on_connect(self) -> Any:
        return _run_no_query


def _run_no_query(conn: Any) -> None:
    """SQLAlchemy's own function sets up types that our statements don't use."""


registry.register("postgresql.agentkeep_asyncpg", __name__, "QuietAsyncpg")
registry.register("postgresql.agentkeep_psycopg", __name__, "QuietPsycopg")


def make_engine(
    url: str,
    *,
    pool_size: int = 10,
    max_overflow: int = 0,
    connect_timeout: timedelta = timedelta(seconds=10),
    sslmode: str = "prefer",
    host: str | None = None,
    application_name: str = "agentkeep",
) -> AsyncEngine:
    """An engine that connects when it is first used.

    Raises `ConfigurationError` for an invalid URL or an unknown driver.
    """
    parsed = _parsed(url)
    driver = _driver(parsed)
    target = parsed.set(drivername=f"postgresql+agentkeep_{driver}").set(query={"host": host} if host else {})
    arguments: dict[str, object] = (
        {
            "timeout": connect_timeout.total_seconds(),
            "statement_cache_size": 512,
            "max_cached_statement_lifetime": 0,
            "ssl": sslmode,
            "server_settings": {"application_name": application_name},
        }
        if driver == "asyncpg"
        else {
            "connect_timeout": max(1, round(connect_timeout.total_seconds())),
            "autocommit": True,
            "client_encoding": "utf8",
            "sslmode": sslmode,
            "application_name": application_name,
        }
    )
    return create_async_engine(
        target,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=_UNBOUNDED_SECONDS,
        pool_reset_on_return=None,
        pool_recycle=-1,
        pool_pre_ping=False,
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args=arguments,
    )


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            f"{redact(url)!r} is not a valid URL: give postgresql://user:password@host/database"
        ) from error
    if not parsed.database:
        raise ConfigurationError(f"{redact(url)!r} names no database: give postgresql://user:password@host/database")
    return parsed


def _driver(url: URL) -> str:
    """The driver that the URL names; asyncpg if it names none. Raises `AdapterNotInstalled` if it is not installed."""
    _, _, wanted = url.drivername.partition("+")
    if wanted not in _DRIVERS:
        raise ConfigurationError(
            f"the postgres adapter has no driver {wanted!r}: give postgresql:// for asyncpg or postgresql+psycopg://"
        )
    driver = _DRIVERS[wanted]
    if find_spec(driver) is None:
        raise AdapterNotInstalled(f"{url.drivername}:// needs {driver}, which is not installed: {_INSTALL[driver]}")
    return driver
