"""The PostgreSQL adapter keeps every clause as a role with few rights."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from agentkeep import Keep
from agentkeep_conformance import AdapterConformance, OverClient, proves
from agentkeep_conformance.servers import POSTGRES
from agentkeep_conformance.storage import postgres as storage
from agentkeep_conformance.storage.engines import over_engine
from agentkeep_postgres import PostgresAdapter

_VERBS = {"archive", "erasure", "forks", "messages", "order_paging", "searching", "sessions", "watching"}


class TestPostgresRows(storage.PostgresStorage, AdapterConformance):
    """A role that may read and write rows and nothing else; the owner ran what `agentkeep migrate --sql` prints."""

    server, everyday, nightly_runs_all, one_in = POSTGRES, False, True, 6
    families = _VERBS | {"lifecycle", "ttl", "upgrade", "processes"}
    round_trips = {"greeting": 4}  # noqa: RUF012

    def prepare(self, dsn: str, namespace: str) -> None:
        """The rights are those that the adapter's page names."""
        storage.execute(dsn, PostgresAdapter.from_url(dsn, prefix=namespace).migrations_sql())
        rights = [f"SELECT, INSERT, UPDATE, DELETE ON {namespace}sessions, {namespace}labels, {namespace}messages"]
        storage.create_role(dsn, namespace, [*rights, f"SELECT ON {namespace}schema_version"])

    def open(self, dsn: str, namespace: str, **options: Any) -> PostgresAdapter:
        url = storage.as_role(dsn, namespace)
        return PostgresAdapter.from_url(url, prefix=namespace, manage_schema=False, **options)

    def over_client(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[OverClient]:
        def adapter_of(engine: Any) -> PostgresAdapter:
            return PostgresAdapter(engine, prefix=namespace)

        url = storage.as_role(dsn, namespace).replace("postgresql://", "postgresql+asyncpg://")
        return over_engine(url, adapter_of)

    async def drop(self, dsn: str, namespace: str) -> None:
        await super().drop(dsn, namespace)
        await storage.drop_role(dsn, namespace)


class TestPostgresWords(AdapterConformance):
    """Search if pg_trgm can't be had: a database of its own, and a role that may not create extensions there."""

    server, everyday, one_in, families = POSTGRES, False, 3, ("searching", "search_words")

    def prepare(self, dsn: str, namespace: str) -> None:
        storage.create_plain_database(dsn, namespace)

    def open(self, dsn: str, namespace: str, **options: Any) -> PostgresAdapter:
        url = storage.as_role(storage.in_database(dsn, namespace), namespace)
        return PostgresAdapter.from_url(url, prefix=namespace, **options)

    async def empty(self, dsn: str, namespace: str) -> bool:
        return await storage.empty_prefix(storage.in_database(dsn, namespace), namespace)

    async def drop(self, dsn: str, namespace: str) -> None:
        await storage.drop_database(dsn, namespace)

    @proves("SRCH-1")
    async def test_there_is_no_index_of_trigrams(self, keep: Keep) -> None:
        assert any("pg_trgm" in warning for warning in (await keep.health()).warnings)
