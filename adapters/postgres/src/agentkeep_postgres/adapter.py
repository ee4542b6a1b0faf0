"""The PostgreSQL adapter: one engine, one pool for each event loop, one statement for each verb."""

from __future__ import annotations

from datetime import timedelta
from time import perf_counter
from typing import Any, Self

from agentkeep.capabilities import Capabilities, Durability
from agentkeep.errors import ConfigurationError, SchemaMissing
from agentkeep.models import Health
from agentkeep.records import Scope
from agentkeep.spi.options import as_prefix, as_seconds, read_options
from sqlalchemy.ext.asyncio import AsyncEngine

from agentkeep_postgres.client import Client
from agentkeep_postgres.messages import PostgresMessages
from agentkeep_postgres.notify import make_notifier
from agentkeep_postgres.schema import migrate, migrations_sql, steps_to_run
from agentkeep_postgres.search import Search
from agentkeep_postgres.server import Server
from agentkeep_postgres.sessions import PostgresSessions
from agentkeep_postgres.statements import Names, load_statements
from agentkeep_postgres.sweep import Sweep
from agentkeep_postgres.urls import ADAPTER_OPTIONS, ENGINE_OPTIONS, make_engine
from agentkeep_postgres.watch import Watch

_MEBIBYTE = 1024 * 1024


class PostgresAdapter:
    """Keeps sessions and messages in a PostgreSQL database, 14 or newer, of encoding UTF8.

    `engine` stays the caller's: the adapter never disposes it. The tables are in `schema`; their names begin with
    `prefix`. With `manage_schema=False` the adapter needs no right beyond reading and writing rows. `pgbouncer` says
    whether a pooler in transaction mode stands before the server; with None the adapter finds out when it opens.
    `timeout` bounds each call, the wait for a connection included.
    Raises `ConfigurationError`.
    """

    name = "postgres"

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        schema: str | None = None,
        prefix: str = "agentkeep_",
        manage_schema: bool = True,
        pgbouncer: bool | None = None,
        timeout: timedelta | float = timedelta(seconds=60),
    ) -> None:
        if not isinstance(engine, AsyncEngine):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                f"engine has the type {type(engine).__name__}: give an AsyncEngine, or use from_url"
            )
        if engine.dialect.name != "postgresql" or engine.dialect.driver not in ("asyncpg", "psycopg"):
            raise ConfigurationError(
                f"the engine uses {engine.dialect.name}+{engine.dialect.driver}: give postgresql+asyncpg or +psycopg"
            )
        checked = None if schema is None else as_prefix("schema", schema)
        self._names = Names(checked, as_prefix("prefix", prefix))
        self._manage_schema = manage_schema
        self._pgbouncer = pgbouncer
        self._durability: Durability = "fsync"
        self._migrated_from: int | None = None
        self._timeout = as_seconds("timeout", timeout)
        self._connect(Client(engine, timeout=self._timeout))

    def _connect(self, client: Client) -> None:
        statements = load_statements(self._names)
        self._client = client
        self._statements = statements
        self._search = Search(client, statements)
        self._sweep = Sweep(client, statements)
        self.sessions = PostgresSessions(client, statements, self._sweep)
        self._notifier = make_notifier(client, statements, f"{self._names.prefix}landed")
        watch = Watch(client, statements, self._notifier)
        self.messages = PostgresMessages(client, statements, self._search, watch)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """`postgresql://user:password@host:port/database`; `postgresql+psycopg://` for psycopg 3.

        Options of the adapter as above, and of its pool: `pool_size`, `max_overflow`, `connect_timeout` (seconds),
        `sslmode`, `host` (a socket's directory), `application_name`.
        Raises `ConfigurationError`.
        """
        read = read_options(cls.name, url, options, {**ADAPTER_OPTIONS, **ENGINE_OPTIONS})
        settings = {name: value for name, value in read.items() if name in ENGINE_OPTIONS}
        most = settings.setdefault("pool_size", 10) + settings.setdefault("max_overflow", 0)
        engine = make_engine(url, **settings)
        adapter = cls(engine, **{name: value for name, value in read.items() if name in ADAPTER_OPTIONS})
        adapter._connect(Client(engine, timeout=adapter._timeout, own_connections=most))
        return adapter

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            search=True,
            watch=True,
            server_clock=True,
            max_message_bytes=16 * _MEBIBYTE,
            max_session_bytes=16 * _MEBIBYTE,
            durability=self._durability,
        )

    @property
    def migrated_from(self) -> int | None:
        """The schema's version that `open` found, 0 if there was none; None before `open`."""
        return self._migrated_from

    def migrations_sql(self, *, after: int = 0) -> str:
        """The script that brings a schema of version `after` (0: none) up to date, for the owner of the schema.

        It is one transaction and can be run once. No I/O. Raises `InvalidInput` for a version that does not exist.
        """
        return migrations_sql(self._names, after=after)

    async def open(self) -> None:
        """Connect, and bring the schema up to date if `manage_schema` is on (LIFE-1).

        Raises `Unavailable`, `SchemaMissing`, `SchemaTooNew`, `ConfigurationError`.
        """
        self._client.open()
        self._notifier.open()
        try:
            await self._prepare()
        except BaseException:
            await self._client.close()
            raise

    async def _prepare(self) -> None:
        client = self._client
        await client.prepare(self._statements["settings"], behind_pooler=self._pgbouncer)
        server = await self._server_or_none()
        found = None if server is None else server.schema
        self._migrated_from = 0 if found is None else found.version
        if steps_to_run(self._names, found, manage_schema=self._manage_schema):
            found = await migrate(client, self._names)
            self._migrated_from = 0 if found is None else found.version
            server = await self._ask_server()
        if server is None:
            return
        if server.encoding != "UTF8":
            raise ConfigurationError(
                f"the database's encoding is {server.encoding}: create a database with encoding UTF8"
            )
        self._search.has_trigrams = server.trigrams
        self._durability = server.durability

    async def _server_or_none(self) -> Server | None:
        """None if the schema is missing."""
        try:
            return await self._ask_server()
        except SchemaMissing:
            return None

    async def _ask_server(self) -> Server:
        index = f"{self._names.qualified}messages_trigrams"
        rows = await self._client.read(self._statements["server"], {"trigrams": index})
        return Server(*rows[0])

    async def close(self) -> None:
        """Close the pool if it is ours, never the caller's (LIFE-2)."""
        self._notifier.close()
        await self._client.close()
        await self._notifier.stopped()

    async def health(self) -> Health:
        """Ask the server. Raises `Unavailable`."""
        started = perf_counter()
        server = await self._ask_server()
        latency = timedelta(seconds=perf_counter() - started)
        pooler = ["there is a pooler in transaction mode: watch polls"] if self._client.behind_pooler else []
        return Health(
            adapter=self.name,
            server=f"PostgreSQL {server.server}",
            schema_version=server.version or 0,
            durability=server.durability,
            latency=latency,
            warnings=server.warnings + pooler,
        )

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        """Remove up to `limit` expired sessions with their messages (TTL-2)."""
        return await self._sweep.expired(scope, limit=limit)

    async def tenants(self) -> list[str]:
        """The tenants that have sessions."""
        return [tenant for (tenant,) in await self._client.read(self._statements["tenants"], {})]
