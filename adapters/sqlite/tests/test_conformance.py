"""The SQLite adapter keeps every clause, on a file that it opens itself."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from agentkeep import PersistenceAdapter
from agentkeep_conformance import AdapterConformance, OverClient, released
from agentkeep_conformance.storage.engines import over_engine
from agentkeep_conformance.storage.sqlite import counted, execute
from agentkeep_conformance.storage.sqlite_troubles import SQLiteTroubles
from agentkeep_sqlite import SQLiteAdapter
from agentkeep_sqlite.commit import Job
from agentkeep_sqlite.short_reads import ShortReads
from agentkeep_sqlite.threads import ThreadClient


class TestSqlite(SQLiteTroubles, AdapterConformance):
    short_timeout: ClassVar[dict[str, Any]] = {"busy_timeout": timedelta(seconds=0.5)}
    has_schema, corpora = True, released(Path(__file__).parent / "corpora")
    small_steps: ClassVar[dict[str, int]] = {
        "agentkeep_sqlite.listing.COUNT_STEP": 1,
        "agentkeep_sqlite.listing._UNLISTED_AT_ONCE": 1,
        "agentkeep_sqlite.listing._FEW_EXPIRED": 0,
        "agentkeep_sqlite.listing._COMMON": 1,
        "agentkeep_sqlite.search.INDEX_STEP": 1,
        "agentkeep_sqlite.search._FEW": 1,
        "agentkeep_sqlite.search._FEW_SESSIONS": 1,
        "agentkeep_sqlite.tables.REMOVED_AT_ONCE": 2,
        "agentkeep_sqlite.sessions.MAX_SHORT": 1,
        "agentkeep_sqlite.messages.MAX_SHORT": 1,
    }

    def open(self, dsn: str, namespace: str, **options: Any) -> SQLiteAdapter:
        return SQLiteAdapter(self.file(dsn), prefix=namespace, **options)

    async def store_schema_version(self, dsn: str, namespace: str, version: int, oldest: int) -> None:
        execute(self.file(dsn), f"UPDATE {namespace}schema SET version = {version}, oldest = {oldest}")  # noqa: S608

    def over_client(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[OverClient]:
        def adapter_of(engine: Any) -> SQLiteAdapter:
            return SQLiteAdapter(engine, prefix=namespace)

        return over_engine(f"sqlite+aiosqlite:///{self.file(dsn)}", adapter_of)

    async def work(self, adapter: PersistenceAdapter, call: Callable[[], Awaitable[Any]]) -> int:
        """The steps of SQLite's virtual machine, in its threads and of short reads.

        On a slow machine a short read may be given up and run again in a thread; its steps would count twice.
        """
        with (
            counted(Job, "run") as steps,
            counted(ShortReads, "_run") as short_steps,
            patch("agentkeep_sqlite.short_reads._LONGEST", 60.0),
        ):
            await call()
        assert steps or short_steps, "no step was counted"
        return sum([*steps, *short_steps])

    async def longest_step(self, adapter: PersistenceAdapter, call: Callable[[], Awaitable[Any]]) -> int:
        """Those of the longest transaction, of a call or of idle work."""
        with counted(Job, "run") as steps, counted(ThreadClient, "_run_idle_step") as idle_steps:
            await call()
        return max([*steps, *idle_steps])
