"""The memory adapter: the shortest way to keep every mandatory clause. Read this one first."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import perf_counter
from typing import Any, Self

from agentkeep.capabilities import Capabilities
from agentkeep.errors import ConfigurationError
from agentkeep.models import Health
from agentkeep.records import Scope
from agentkeep.spi.clock import Clock, utc_now
from agentkeep.spi.options import as_is, read_options
from agentkeep.spi.urls import redact, split_url

from agentkeep_memory.client import Client, named_database
from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.rows import Entry
from agentkeep_memory.sessions import MemorySessions
from agentkeep_memory.sweep import sweep

Snapshot = dict[tuple[str, str], Entry]
"""What `snapshot` gives and `restore` takes; its inside is the adapter's own."""


class MemoryAdapter:
    """Keeps everything in this process, and loses it with the process.

    `MemoryAdapter()` is a database of its own, as `memory://` is; all `MemoryAdapter("name")` and `memory://name` of a
    process are one. It stays while its adapter (or its name) is there: `close` forgets nothing.
    """

    name = "memory"
    capabilities = Capabilities(
        search=True, watch=True, shared=False, max_message_bytes=16 * 1024 * 1024, durability="process"
    )

    def __init__(self, database: str = "", *, clock: Clock = utc_now) -> None:
        self._client = Client(named_database(database), clock)
        self.sessions = MemorySessions(self._client)
        self.messages = MemoryMessages(self._client)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """`memory://` or `memory://name`. Option: `clock`, a callable that gives the time in aware UTC."""
        parts = split_url(url)
        if parts.path.strip("/") or parts.fragment:
            raise ConfigurationError(f"{redact(url)!r} names no memory database; give memory:// or memory://name")
        return cls(parts.netloc, **read_options(cls.name, url, options, {"clock": as_is}))

    async def open(self) -> None:
        self._client.open()

    async def close(self) -> None:
        """The data stays; watchers raise `Closed` (LIFE-2)."""
        self._client.close()

    async def health(self) -> Health:
        started = perf_counter()
        with self._client.lock:
            latency = timedelta(seconds=perf_counter() - started)
        return Health(
            adapter=self.name,
            server="this process",
            schema_version=None,
            durability=self.capabilities.durability,
            latency=latency,
            warnings=["everything is lost when this process ends"],
        )

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        removed = sweep(self._client, scope, limit=limit)
        await asyncio.sleep(0)  # the next step comes after whoever waits (COST-3)
        return removed

    async def tenants(self) -> list[str]:
        with self._client.lock:
            return sorted({tenant for tenant, _ in self._client.database.entries})

    def snapshot(self) -> Snapshot:
        """All data as it is now, for a test to come back to."""
        with self._client.lock:
            return {key: entry.copy() for key, entry in self._client.database.entries.items()}

    def restore(self, snapshot: Snapshot) -> None:
        """Make the data what it was at a `snapshot`, which can be used again."""
        with self._client.lock:
            self._client.database.entries = {key: entry.copy() for key, entry in snapshot.items()}
            self._client.database.notifiers.notify_all()
