"""The PostgreSQL adapter keeps every clause: by each driver, behind a pooler, on each line that is supported."""

from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from agentkeep_conformance import AdapterConformance, OverClient, released
from agentkeep_conformance.servers import PGBOUNCER, POSTGRES, POSTGRES_NEWEST, POSTGRES_OLDEST
from agentkeep_conformance.storage.engines import over_engine
from agentkeep_conformance.storage.postgres import PostgresStorage
from agentkeep_conformance.storage.postgres_troubles import PostgresTroubles
from agentkeep_postgres import PostgresAdapter
from agentkeep_postgres.drivers import AsyncpgDriver, PsycopgDriver

_WIRE = {"cancellation", "cost", "crashes", "faults", "processes", "several_callers", "watching"}


class TestPostgres(PostgresTroubles, PostgresStorage, AdapterConformance):
    server = POSTGRES
    one_connection: ClassVar[dict[str, Any]] = {"pool_size": 1}
    short_timeout: ClassVar[dict[str, Any]] = {"timeout": 0.5, "connect_timeout": 0.5}
    renews_silent_connections = True
    round_trips: ClassVar[dict[str, int]] = {"greeting": 4}  # whether there is TLS, who we are, two to prove it (SCRAM)
    has_schema, tables, corpora = True, ("sessions", "labels", "messages"), released(Path(__file__).parent / "corpora")
    driver, drivers = "asyncpg", (AsyncpgDriver, PsycopgDriver)
    connect_args: ClassVar[dict[str, Any]] = {}
    other_options: ClassVar[dict[str, Any]] = {"pgbouncer": True}
    small_steps: ClassVar[dict[str, int]] = {
        "agentkeep_postgres.listing._COMMON": 1,
        "agentkeep_postgres.settled._UNLISTED_AT_ONCE": 1,
        "agentkeep_postgres.search._INDEXED_WORDS": 1,
        "agentkeep_postgres.search._INDEXED_CHARACTERS": 3,
    }

    def open(self, dsn: str, namespace: str, **options: Any) -> PostgresAdapter:
        return PostgresAdapter.from_url(self.url(dsn), prefix=namespace, **options)

    def url(self, dsn: str) -> str:
        return dsn.replace("postgresql://", f"postgresql+{self.driver}://")

    def schema(self, dsn: str, namespace: str) -> str:
        return PostgresAdapter.from_url(dsn, prefix=namespace).migrations_sql()

    def over_client(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[OverClient]:
        return over_engine(self.url(dsn), partial(PostgresAdapter, prefix=namespace), connect_args=self.connect_args)


class TestPsycopg(TestPostgres):
    everyday, nightly_runs_all, one_in, driver = False, True, 4, "psycopg"
    families = _WIRE | {"capabilities", "errors", "fidelity", "lifecycle", "searching"}


class TestPgBouncer(TestPostgres):  # in transaction mode; a kill ends the pooler, and the server behind it runs on
    everyday, nightly_runs_all, one_in, families = False, True, 3, _WIRE | {"concurrency", "lifecycle"}
    server = PGBOUNCER
    without = ("refuse_writes", "make_read_only", "serializable", "durabilities")  # the pooler knows one user alone
    round_trips: ClassVar[dict[str, int]] = {"greeting": 4, "append": 2, "append with ids": 2, "read": 2}
    connect_args: ClassVar[dict[str, Any]] = {"statement_cache_size": 0, "prepared_statement_name_func": lambda: ""}


class TestPostgresOldest(TestPostgres):
    everyday, nightly_runs_all, one_in, server = False, True, 4, POSTGRES_OLDEST
    families = frozenset({"lifecycle", "ttl", "upgrade", "messages", "searching"})


class TestPostgresNewest(TestPostgresOldest):
    server = POSTGRES_NEWEST
