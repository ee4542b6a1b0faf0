"""The memory adapter: the shortest way to keep every mandatory clause. Read this one first."""

from __future__ import annotations

from copy import copy
from datetime import timedelta
from time import perf_counter
from typing import Any, Self

from agentkeep.capabilities import Capabilities
from agentkeep.errors import ConfigurationError
from agentkeep.models import Health
from agentkeep.records import Scope
from agentkeep.spi.clock import Clock, utc_now
from agentkeep.spi.notify import Notifier
from agentkeep.spi.options import as_is, read_options
from agentkeep.spi.urls import redact, split_url

from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.sessions import MemorySessions
from agentkeep_memory.tables import Entry, Tables, is_expired, named_tables

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
        self._tables: Tables = named_tables(database)
        self._clock = clock
        self.sessions = MemorySessions(self._tables, clock)
        self._notifier = Notifier()
        self.messages = MemoryMessages(self._tables, clock, self._notifier)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """`memory://` or `memory://name`. Option: `clock`, a callable that gives the time in aware UTC."""
        parts = split_url(url)
        if parts.path.strip("/") or parts.fragment:
            raise ConfigurationError(f"{redact(url)!r} names no memory database: give memory:// or memory://name")
        return cls(parts.netloc, **read_options(cls.name, url, options, {"clock": as_is}))

    async def open(self) -> None:
        """The tables exist already."""
        self._tables.notifiers.open(self._notifier)

    async def close(self) -> None:
        """The tables stay; watchers raise `Closed` (LIFE-2)."""
        self._tables.notifiers.close(self._notifier)

    async def health(self) -> Health:
        started = perf_counter()
        with self._tables.lock:
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
        with self._tables.lock:
            now = self._clock()
            found = [
                key
                for key, entry in self._tables.entries.items()
                if is_expired(entry, now)
                and (scope is None or (key[0] == scope.tenant and scope.user_id in (None, entry.record.user_id)))
            ][:limit]
            for key in found:
                del self._tables.entries[key]
                self._tables.notifiers.notify(key)
            return len(found)

    def snapshot(self) -> Snapshot:
        """All data as it is now, for a test to come back to."""
        with self._tables.lock:
            return {key: _copy(entry) for key, entry in self._tables.entries.items()}

    def restore(self, snapshot: Snapshot) -> None:
        """Make the data what it was at a `snapshot`, which can be used again."""
        with self._tables.lock:
            self._tables.entries = {key: _copy(entry) for key, entry in snapshot.items()}
            self._tables.notifiers.notify_all()

    def clear(self) -> None:
        """Forget everything, of all tenants."""
        self.restore({})


def _copy(entry: Entry) -> Entry:
    twin = copy(entry)
    twin.log = list(entry.log)
    twin.by_id = dict(entry.by_id)
    return twin
