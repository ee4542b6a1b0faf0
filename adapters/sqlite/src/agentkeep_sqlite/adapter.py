"""The SQLite adapter: on a file, in memory, or over the caller's own SQLAlchemy engine."""

from __future__ import annotations

import os
from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Self

from agentkeep.capabilities import Capabilities
from agentkeep.errors import ConfigurationError
from agentkeep.models import Health
from agentkeep.records import Scope
from agentkeep.spi.clock import Clock, utc_now
from agentkeep.spi.options import as_prefix
from msgspec.structs import replace

from agentkeep_sqlite.client import Client
from agentkeep_sqlite.messages import SQLiteMessages
from agentkeep_sqlite.schema import Schema
from agentkeep_sqlite.server import Settings, check_library, read_settings, read_versions
from agentkeep_sqlite.sessions import SQLiteSessions
from agentkeep_sqlite.statements import Statements, load_migrations, load_statements
from agentkeep_sqlite.sweep import Sweep
from agentkeep_sqlite.tables import Tables
from agentkeep_sqlite.threads import ThreadClient
from agentkeep_sqlite.urls import Synchronous, as_database, read_url

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

_BUSY_TIMEOUT = timedelta(seconds=30)
_LIMIT = 16 * 1024 * 1024


class SQLiteAdapter:
    """Keeps sessions and messages in SQLite.

    `database`: a file's path, `":memory:"`, or an `AsyncEngine` on aiosqlite. The engine stays the caller's: we change
    neither its pool nor its settings and never close it. A path does not use SQLAlchemy: one thread writes, and commits
    together what waits together, so that appends share an fsync.

    `prefix`: the beginning of each table's name. Two prefixes in one file never meet (ISO-3).
    `synchronous` (of a path): with "FULL" an acknowledged write survives a power cut, with "NORMAL" a killed process.
    `busy_timeout` (of a path): how long to wait for another process's write.
    `create=False`: raise an error if the file or our schema in it does not exist, instead of creating them.
    `manage_schema=False`: expect the current schema, never create or migrate it.
    Raises `ConfigurationError`.
    """

    name = "sqlite"
    open_existing: ClassVar[dict[str, Any]] = {"create": False}

    def __init__(
        self,
        database: AsyncEngine | str | os.PathLike[str],
        *,
        prefix: str = "agentkeep_",
        synchronous: Synchronous = "FULL",
        busy_timeout: timedelta = _BUSY_TIMEOUT,
        create: bool = True,
        manage_schema: bool = True,
        clock: Clock = utc_now,
    ) -> None:
        if as_prefix("prefix", prefix).startswith("sqlite_"):
            raise ConfigurationError(f"prefix is {prefix!r}: SQLite reserves names that begin with sqlite_")
        statements = load_statements(prefix)
        self._schema = Schema(prefix, statements, load_migrations(prefix))
        self._create = create
        self._manage_schema = manage_schema
        self._tables = Tables(statements)
        self._client = _client(database, statements, clock, synchronous, busy_timeout, create=create)
        self.capabilities = Capabilities(search=True, watch=True, max_message_bytes=_LIMIT, max_session_bytes=_LIMIT)
        self._sweep = Sweep(self._client, self._tables)
        self.sessions = SQLiteSessions(self._client, self._tables)
        self.messages = SQLiteMessages(self._client, self._tables)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """`sqlite:///relative.db`, `sqlite:////absolute.db`, or `sqlite://` for memory; the constructor's options."""
        path, options = read_url(url, options)
        return cls(path, **options)

    async def open(self) -> None:
        """Connect, check the settings and bring the schema up to date (LIFE-1).

        Raises `ConfigurationError`, `Unavailable`, `SchemaMissing`, `SchemaTooNew`.
        """
        check_library()
        await self._client.open()
        try:
            found = await self._schema.prepare(self._client, manage=self._manage_schema, create=self._create)
            settings = await self._settings()
        except BaseException:
            await self._client.close()
            raise
        self._tables.search = found.search
        self.capabilities = replace(
            self.capabilities, search=found.search, shared=not settings.is_memory, durability=settings.durability
        )

    async def _settings(self) -> Settings:
        return await self._client.read(read_settings(self._tables.sql))

    async def close(self) -> None:
        """Finish the accepted calls. Then close the file if we opened it, but never the caller's engine (LIFE-2)."""
        await self._client.close()

    async def health(self) -> Health:
        """Ask the database. Raises `Unavailable`."""
        started = perf_counter()
        server, version = await self._client.read(read_versions(self._tables.sql))
        latency = timedelta(seconds=perf_counter() - started)
        settings = await self._settings()
        upkeep = await self._sweep.upkeep()
        return Health(
            adapter=self.name,
            server=f"SQLite {server}",
            schema_version=version,
            durability=settings.durability,
            latency=latency,
            warnings=[
                *settings.warnings,
                *self._client.warnings,
                *(["texts that were removed may be left in the file: run VACUUM"] if upkeep.needs_vacuum else []),
                *([] if self._tables.search else ["this SQLite has no FTS5: search is off"]),
            ],
        )

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        """Remove expired sessions in batches, and what removed texts left in the index and the log (TTL-2)."""
        return await self._sweep.run(scope, limit=limit)

    async def tenants(self) -> list[str]:
        """The tenants that have sessions."""
        return await self._client.read(lambda db: [tenant for (tenant,) in db.all(self._tables.sql["tenants"], {})])


def _client(
    database: AsyncEngine | str | os.PathLike[str],
    statements: Statements,
    clock: Clock,
    synchronous: str,
    busy_timeout: timedelta,
    *,
    create: bool,
) -> Client:
    if isinstance(database, str | os.PathLike):
        return ThreadClient(as_database(database, synchronous, busy_timeout, create=create), statements, clock)
    from agentkeep_sqlite.engine import EngineClient, check_engine  # importing SQLAlchemy takes half a second

    return EngineClient(check_engine(database), clock)
