"""The toy: the memory adapter's tables, below an adapter of its own that declares nothing optional."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self

from agentkeep.capabilities import Capabilities
from agentkeep.models import Health
from agentkeep.records import Scope
from agentkeep.spi.clock import Clock, utc_now
from agentkeep.spi.options import as_is, as_prefix, read_options
from agentkeep_memory import MemoryAdapter


class ToyAdapter:
    """Keeps everything in the process; `url` and `prefix` together name a database."""

    name = "toy"
    capabilities = Capabilities(shared=False, durability="process")

    def __init__(self, url: str, *, prefix: str = "agentkeep", clock: Clock = utc_now) -> None:
        self._inner = MemoryAdapter(f"toy {url} {prefix}", clock=clock)
        self.sessions = self._inner.sessions
        self.messages = self._inner.messages

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        return cls(url, **read_options(cls.name, url, options, {"prefix": as_prefix, "clock": as_is}))

    async def open(self) -> None:
        await self._inner.open()

    async def close(self) -> None:
        await self._inner.close()

    async def health(self) -> Health:
        return Health(
            adapter=self.name,
            server="toy 1.0",
            schema_version=None,
            durability=self.capabilities.durability,
            latency=timedelta(0),
            warnings=[],
        )

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return await self._inner.sweep(scope, limit=limit)
