"""The PostgreSQL adapter keeps every clause through a wrapper that delegates everything (WRAP-1)."""

from typing import Any

from agentkeep import PersistenceAdapter
from agentkeep.wrappers import Wrapper
from agentkeep_conformance import AdapterConformance
from agentkeep_conformance.servers import POSTGRES
from agentkeep_conformance.storage.postgres import PostgresStorage
from agentkeep_postgres import PostgresAdapter


class TestPostgresWrapped(PostgresStorage, AdapterConformance):
    server, everyday, nightly_runs_all, has_schema = POSTGRES, False, True, True
    one_in = 12
    one_connection = {"pool_size": 1}  # noqa: RUF012
    short_timeout = {"timeout": 0.5, "connect_timeout": 0.5}  # noqa: RUF012
    round_trips = {"greeting": 4}  # noqa: RUF012

    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        return Wrapper(PostgresAdapter.from_url(dsn, prefix=namespace, **options))
