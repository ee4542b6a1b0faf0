"""The SQLite adapter: a file, `:memory:`, or the caller's own SQLAlchemy engine."""

from __future__ import annotations

import os
from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from agentkeep.capabilities import Capabilities
from agentkeep.errors import ConfigurationError
from agentkeep.models import Health
from agentkeep.records import Scope
from agentkeep.spi.clock import Clock, utc_now
from agentkeep.spi.options import as_bool, as_is, as_prefix, as_seconds, one_of, read_options
from agentkeep.spi.urls import redact
from msgspec.structs import replace

from agentkeep_sqlite.database import MEMORY, Database, Synchronous, check_library
from agentkeep_sqlite.executor import Executor
from agentkeep_sqlite.messages import SQLiteMessages
from agentkeep_sqlite.rows import to_micros
from agentkeep_sqlite.schema import Schema
from agentkeep_sqlite.sessions import SQLiteSessions
from agentkeep_sqlite.settings import Settings, read_settings, version_of
from agentkeep_sqlite.statements import load_migrations, load_statements
from agentkeep_sqlite.tables import Tables
from agentkeep_sqlite.threads import ThreadExecutor
from agentkeep_sqlite.upkeep import Upkeep

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

_SCHEMES = ("sqlite", "sqlite+aiosqlite")
_BUSY_TIMEOUT = timedelta(seconds=30)
_SWEEP_BATCH = 100
"""Sessions removed in one transaction: other writers get their turn in between."""
_LIMIT = 16 * 1024 * 1024
_OPTIONS = {
    "prefix": as_prefix,
    "synchronous": one_of("FULL", "NORMAL"),
    "busy_timeout": as_seconds,
    "manage_schema": as_bool,
    "clock": as_is,
}


class SQLiteAdapter:
    """Keeps sessions and messages in SQLite.

    `database`: a file's path, `":memory:"`, or an `AsyncEngine` on aiosqlite, which stays the caller's: its pool, its
    settings, its events and its closing. A path goes below SQLAlchemy: one thread writes, and commits together what
    waits together, so that appends share an fsync.

    `prefix` begins each table's name; two prefixes in one file never meet (ISO-3). `synchronous` (of a path): "FULL"
    outlives a power cut, "NORMAL" a killed process only. `busy_timeout` (of a path): how long to wait for another
    process's write. `manage_schema=False`: expect the schema, never make it. Raises `ConfigurationError`.
    """

    name = "sqlite"

    def __init__(
        self,
        database: AsyncEngine | str | os.PathLike[str],
        *,
        prefix: str = "agentkeep_",
        synchronous: Synchronous = "FULL",
        busy_timeout: timedelta = _BUSY_TIMEOUT,
        manage_schema: bool = True,
        clock: Clock = utc_now,
    ) -> None:
        if as_prefix("prefix", prefix).startswith("sqlite_"):
            raise ConfigurationError("prefix: SQLite keeps names that begin with sqlite_ for itself")
        statements = load_statements(prefix)
        self._schema = Schema(prefix, statements, load_migrations(prefix))
        self._manage_schema = manage_schema
        self._clock = clock
        self._tables = Tables(statements, clock)
        self._executor = _executor(database, synchronous, busy_timeout)
        self.capabilities = Capabilities(search=True, watch=True, max_message_bytes=_LIMIT, max_session_bytes=_LIMIT)
        self._upkeep = Upkeep(self._executor, self._tables)
        self.sessions = SQLiteSessions(self._executor, self._tables)
        self.messages = SQLiteMessages(self._executor, self._tables)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """`sqlite:///relative.db`, `sqlite:////absolute.db`, or `sqlite://` for memory; the constructor's options."""
        scheme, _, rest = url.partition("://")
        if scheme.lower() not in _SCHEMES:
            raise ConfigurationError(f"{redact(url)!r} is no SQLite URL: give sqlite:///chat.db")
        place, _, query = rest.partition("?")
        host, slash, path = place.partition("/")
        if host or (slash and not path):
            raise ConfigurationError(
                f"{redact(url)!r} names no file: give sqlite:///relative.db, sqlite:////absolute/path.db, or sqlite:// "
                "for a database in memory"
            )
        return cls(unquote(path) or MEMORY, **read_options(cls.name, f"{scheme}://?{query}", options, _OPTIONS))

    async def open(self) -> None:
        """Connect, check the settings and bring the schema up to date (LIFE-1).

        Raises `ConfigurationError`, `Unavailable`, `SchemaMissing`, `SchemaTooNew`.
        """
        check_library()
        await self._executor.open()
        try:
            found = await self._schema.prepare(self._executor, manage=self._manage_schema, now=to_micros(self._clock()))
            settings = await self._settings()
        except BaseException:
            await self._executor.close()
            raise
        self._tables.search = found.search
        self.capabilities = replace(
            self.capabilities, search=found.search, shared=not settings.is_memory, durability=settings.durability
        )

    async def _settings(self) -> Settings:
        return await self._executor.read(read_settings(self._tables.sql))

    async def close(self) -> None:
        """Finish what was accepted; a file that we opened is then closed, the caller's engine is not (LIFE-2)."""
        await self._executor.close()

    async def health(self) -> Health:
        """Ask the database. Raises `Unavailable`."""
        started = perf_counter()
        server, version = await self._executor.read(version_of(self._tables.sql))
        latency = timedelta(seconds=perf_counter() - started)
        settings = await self._settings()
        return Health(
            adapter=self.name,
            server=f"SQLite {server}",
            schema_version=version,
            durability=settings.durability,
            latency=latency,
            warnings=[
                *settings.warnings,
                *self._executor.warnings,
                *([] if self._tables.search else ["this SQLite has no FTS5: search is off"]),
            ],
        )

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        """Remove expired sessions in batches, and what erased texts left in the search index and the log (TTL-2)."""
        removed = 0
        while removed < limit:
            went = await self.sessions.sweep(scope, limit=min(_SWEEP_BATCH, limit - removed))
            removed += went
            if went < _SWEEP_BATCH:
                break
        await self._upkeep.run()
        return removed


def _executor(database: AsyncEngine | str | os.PathLike[str], synchronous: str, busy_timeout: timedelta) -> Executor:
    if not isinstance(database, str | os.PathLike):
        return _pooled(database)
    path = os.fspath(database)
    if "://" in path:
        raise ConfigurationError(f"{redact(path)!r} is a URL: give it to agentkeep.connect, or give a path here")
    level: Synchronous = one_of("FULL", "NORMAL")("synchronous", synchronous)
    return ThreadExecutor(Database(path, level, as_seconds("busy_timeout", busy_timeout)))


def _pooled(engine: AsyncEngine) -> Executor:
    """SQLAlchemy takes half a second to import: only those wait for it who come with an engine of its."""
    from agentkeep_sqlite.pooled import PooledExecutor, check_engine

    return PooledExecutor(check_engine(engine))
